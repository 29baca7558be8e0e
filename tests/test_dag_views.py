"""`roar dag` in every form, of what real commands did."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from roar_core.model.environment import Environment
from roar_core.model.job import Job
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.testing.projects import ProjectUnderTest

HOSTILE = ("<script>alert(1)<>script>", '"]]>', "a\nb", "abc\u202ecba", os.fsdecode(b"bad\xff"))
FORMS = ("--json", "--mermaid", "--dot")

# A platform whose tasks have ended when the command has: one line of a ledger for each.
BACKEND = """
from blake3 import blake3
from roar_core.hookspecs import hookimpl
from roar_core.model.fragment import TaskCoverage, TaskFile, TaskFragment

class Ledger:
    name, priority, collect_every_s = "ledger", 50, 0.0
    def detect(self, argv, environ, cwd): return None
    def plan(self, run, environ): return None
    def adopt(self, run, environ): return {"LEDGER": str(run.folder / "ledger")}
    def claims(self, run, path): return False
    def collect(self, run):
        ledger = run.folder / "ledger"
        for line in ledger.read_text().splitlines() if ledger.exists() else ():
            task, name, state, path = line.split()
            made = (run.cwd / "result").read_bytes()
            digest = blake3(task.encode() + made).hexdigest()
            file = TaskFile(f"{run.cwd}/{path}", len(task) + len(made), {"blake3": digest})
            yield TaskFragment(task, name, state, 1, 1, written=(file,))
    def coverage(self, run): return TaskCoverage(0, is_final=True)
    def finalise(self, run): pass

@hookimpl
def roar_backends(config):
    return [Ledger()]
"""


@pytest.fixture
def rerun(project: ProjectUnderTest) -> ProjectUnderTest:
    """@1 was run twice with different results; @2 has read the first one's only."""
    project.write("in.txt", "1")
    project.run("cp", "in.txt", "out.txt")
    project.run("cp", "out.txt", "copy.txt")
    project.write("in.txt", "2")
    project.run("cp", "in.txt", "out.txt")
    return project


@pytest.fixture
def tasks(project: ProjectUnderTest) -> ProjectUnderTest:
    """@1 had three tasks of two names, of which one failed; @2 reads what a task wrote."""
    project.plugins("ledger", BACKEND, group="roar.backends")
    project.write("result", "old")
    lines = r"aa work succeeded a.bin\nbb work failed b.bin\ncc merge succeeded c.bin\n"
    project.run("sh", "-c", f"printf '{lines}' > $LEDGER")
    return project


def test_expanded_lists_every_attempt(rerun: ProjectUnderTest) -> None:
    lines = rerun.roar("dag", "--expanded").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["@1.1", "@1.2", "@2.1"]
    assert lines[2].endswith("← @1.1  @1.1 superseded")
    compact = rerun.roar("dag").stdout.splitlines()
    assert [line.split()[1] for line in compact] == ["@1", "@2"]


def test_expanded_json_names_attempts(rerun: ProjectUnderTest) -> None:
    document = rerun.json("dag", "--expanded")
    assert [(s["step"], s["attempt"]) for s in document["steps"]] == [
        ("@1", 1),
        ("@1", 2),
        ("@2", 1),
    ]
    [edge] = document["edges"]
    assert (edge["from"], edge["to"], edge["superseded"]) == ("@1.1", "@2.1", True)


def test_an_earlier_session_is_drawn_by_its_number(rerun: ProjectUnderTest) -> None:
    rerun.roar("reset")
    rerun.run("cp", "copy.txt", "third.txt")
    for form in FORMS:
        assert rerun.roar("dag", form).stdout != rerun.roar("dag", form, "--session", "1").stdout
    drawn = rerun.roar("dag", "--dot").stdout
    assert "session 1" in drawn, "the job of another session that was read from is drawn"
    missing = rerun.roar("dag", "--mermaid", "--session", "9")
    assert missing.exit_code == 1
    assert missing.stderr == "roar: there is no session 9; there are 1 to 2\n"


def test_two_forms_at_once_are_refused(rerun: ProjectUnderTest) -> None:
    result = rerun.roar("dag", "--dot", "--html", "dag.html")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--dot and --html" in result.stderr.splitlines()[0]
    assert len(result.stderr.splitlines()) == 1
    assert not (rerun.root / "dag.html").exists()


@pytest.mark.parametrize("form", ["--mermaid", "--dot", "--html=dag.html"])
def test_a_session_without_jobs_is_said_to_be_empty(project: ProjectUnderTest, form: str) -> None:
    project.roar("init")
    result = project.roar("dag", form)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing is recorded in this project yet" in result.stderr
    assert not (project.root / "dag.html").exists()


def nodes_of_dot(text: str) -> dict[str, str]:
    """Graphviz's own reading of a DOT document: the label of each node by its name."""
    done = subprocess.run(
        ["dot", "-Tjson"], input=text.encode(), capture_output=True, check=True, timeout=60
    )
    assert not done.stderr
    return {node["name"]: node["label"] for node in json.loads(done.stdout)["objects"]}


@pytest.mark.needs("dot")
def test_a_superseded_attempt_that_was_read_is_a_node(rerun: ProjectUnderTest) -> None:
    labels = nodes_of_dot(rerun.roar("dag", "--dot").stdout)
    assert sorted(label.split("\\n")[0] for label in labels.values()) == [
        "@1 cp in.txt out.txt",
        "@1.1 cp in.txt out.txt",
        "@2 cp out.txt copy.txt",
    ]
    expanded = nodes_of_dot(rerun.roar("dag", "--dot", "--expanded").stdout)
    assert len(expanded) == 3
    assert not any("superseded" in label for label in expanded.values())


@pytest.mark.needs("dot")
def test_a_dataset_is_one_node_with_the_number_of_its_members(project: ProjectUnderTest) -> None:
    (project.root / "table").mkdir()
    for n in (1, 2, 3):
        project.run("sh", "-c", f"echo {n} > table/part-{n}.parquet")
    project.run("sh", "-c", "cat table/*.parquet > all.bin")
    text = project.roar("dag", "--dot", "--show-artifacts").stdout
    labels = nodes_of_dot(text)
    [dataset] = [name for name, label in labels.items() if "3 members" in label]
    assert labels[dataset].startswith("table/\\nparquet-shards, 3 members")
    into = re.findall(rf'"(\w+)" -> "{dataset}" \[label="a part"\]', text)
    assert [labels[name].split()[0] for name in into] == ["@1", "@2", "@3"]
    assert re.findall(rf'"{dataset}" -> "(\w+)"', text)
    assert sum("part-" in label for name, label in labels.items() if name[0] == "a") == 3
    shown = project.roar("dag", "--show-artifacts").stdout
    assert "parquet-shards, 3 members" in shown
    assert "← @3, @2, @1" in shown, "every writer of a part is called by its step"


@pytest.mark.needs("dot")
@pytest.mark.parametrize("artifacts", [(), ("--show-artifacts",)])
def test_hostile_names_are_drawn_as_what_they_are(
    project: ProjectUnderTest, artifacts: tuple[str, ...]
) -> None:
    for name in HOSTILE:
        project.write(name, name.encode("utf-8", "surrogateescape"))
        project.run("cp", name, f"copy of {name}")
    project.roar("run", "-n", "end", "--", "sh", "-c", "true", "x" * 10_000)
    project.roar("run", "--", "sh", "-c", "true", "x" * 10_000)
    labels = nodes_of_dot(project.roar("dag", "--dot", *artifacts).stdout)
    assert any("<script>alert(1)" in label for label in labels.values())
    assert all(len(line) <= 40 for label in labels.values() for line in label.split("\\n"))
    for form in FORMS:
        printed = project.roar("dag", form, *artifacts).stdout
        assert "\u202e" not in printed
        assert "<script>" not in project.roar("dag", "--mermaid", *artifacts).stdout
    document = project.json("dag", *artifacts)
    assert document["steps"][-1]["command"][-1] == "x" * 10_000


def test_a_page_that_cannot_be_written_is_one_sentence(rerun: ProjectUnderTest) -> None:
    for target in ("no/such/folder/dag.html", "in.txt/dag.html", "."):
        result = rerun.roar("dag", "--html", target)
        assert result.exit_code in (1, 2)
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert target in result.stderr


@pytest.mark.needs("root")
def test_a_full_disk_leaves_the_page_before_as_it_was(rerun: ProjectUnderTest) -> None:
    place = rerun.root / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(place)], check=True)
    try:
        (place / "dag.html").write_text("the page before")
        result = rerun.roar("dag", "--html", "small/dag.html")
        assert result.exit_code == 1
        assert "No space left" in result.stderr
        assert (place / "dag.html").read_text() == "the page before"
        assert [path.name for path in place.iterdir()] == ["dag.html"], "nothing half is left"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_page_replaces_the_one_before_through_a_link(rerun: ProjectUnderTest) -> None:
    old = rerun.write("pages/real.html", "old")
    old.chmod(0o640)
    (rerun.root / "dag.html").symlink_to("pages/real.html")
    assert rerun.roar("dag", "--html", "dag.html").exit_code == 0
    assert (rerun.root / "dag.html").is_symlink()
    assert old.read_text().startswith("<!doctype html>")
    assert old.stat().st_mode & 0o777 == 0o640
    assert rerun.roar("dag", "--html", "/dev/stdout").stdout.startswith("<!doctype html>")


def test_a_page_tells_nothing_of_the_environments_variables(project: ProjectUnderTest) -> None:
    """A page is made to be passed on."""
    root = str(project.root)
    with Store.open(project.root / ".roar", create=True) as store:
        job = store.begin(
            Job(os.urandom(16).hex(), "run", ("true",), root, root, "running", 10**18),
            owner=Owner.current(),
        )
        machine = Environment("Debian 12", "x86_64", "cpython 3.11.7", "a processor", 2**34)
        machine = attrs.evolve(machine, variables={"WANDB_API_KEY": "not to be told"})
        store.complete(attrs.evolve(job, state="succeeded", environment=machine))
    assert "not to be told" in project.roar("show").stdout
    project.roar("dag", "--html", "dag.html")
    assert "a processor" in project.read("dag.html")
    assert "not to be told" not in project.read("dag.html")


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    document: dict[str, Any] = json.loads(found[1])
    return document


def lines_of(data: dict[str, Any], kind: str) -> Iterator[list[str]]:
    return (lines for _, its_kind, _, *lines in data["nodes"] if its_kind == kind)


def test_tasks_stand_grouped_below_their_driver(tasks: ProjectUnderTest) -> None:
    assert "3 tasks" in tasks.roar("dag").stdout
    names = ["✗ work ×2  1 failed, 1 succeeded", "✓ merge ×1  1 succeeded"]
    assert [line.strip() for line in tasks.roar("dag").stdout.splitlines()[1:]] == names
    driver, *lines = tasks.roar("dag", "--expanded").stdout.splitlines()
    assert driver.split()[1] == "@1.1"
    assert [line.strip() for line in lines if "×" in line] == names
    assert [line.split()[2] for line in lines if "×" not in line] == ["aa", "bb", "cc"]
    [step] = tasks.json("dag", "--expanded")["steps"]
    assert [(g["name"], g["count"], len(g["jobs"])) for g in step["tasks"]] == [
        ("work", 2, 2),
        ("merge", 1, 1),
    ]
    tasks.roar("dag", "--html", "dag.html")
    data = data_of(tasks.read("dag.html"))
    assert list(lines_of(data, "tasks")) == [
        ["work ×2", "1 failed, 1 succeeded"],
        ["merge ×1", "1 succeeded"],
    ]
    ties = {(source, target) for source, target, label, _ in data["steps"] if label == "tasks"}
    assert len(ties) == 2
    assert len({source for source, _ in ties}) == 1


@pytest.mark.needs("dot")
def test_what_a_task_wrote_comes_from_its_group(tasks: ProjectUnderTest) -> None:
    text = tasks.roar("dag", "--mermaid", "--show-artifacts").stdout
    assert len(re.findall(r"^  j\d+t0 --> a\d+$", text, re.MULTILINE)) == 2
    assert len(re.findall(r"^  j\d+t1 --> a\d+$", text, re.MULTILINE)) == 1
    assert len(nodes_of_dot(tasks.roar("dag", "--dot", "--show-artifacts").stdout)) == 6


@pytest.mark.needs("dot")
def test_what_a_task_of_a_superseded_attempt_wrote_comes_from_its_driver(
    tasks: ProjectUnderTest,
) -> None:
    tasks.write("a.bin", "aaold")
    tasks.run("cp", "a.bin", "copy.bin")
    drawn = tasks.roar("dag", "--mermaid", "--show-artifacts").stdout
    assert re.search(r"^  j1t0 --> a\d+$", drawn, re.MULTILINE)
    assert "← @1" in tasks.roar("dag", "--show-artifacts").stdout
    [command] = [step["command"] for step in tasks.json("dag")["steps"] if step["step"] == "@1"]
    tasks.write("result", "new")
    tasks.run(*command)
    text = tasks.roar("dag", "--dot", "--show-artifacts").stdout
    labels = nodes_of_dot(text)
    assert labels["j1"].startswith("@1.1 ")
    assert labels["j1"].endswith("\\nsuperseded")
    [read] = re.findall(r'"j1" -> "(a\d+)" \[style=dashed\]', text)
    assert labels[read].startswith("a.bin")


@pytest.mark.needs("dot")
def test_empty_files_tie_no_two_jobs(project: ProjectUnderTest) -> None:
    project.run("touch", "one")
    project.run("touch", "two")
    project.run("cat", "one")
    labels = nodes_of_dot(project.roar("dag", "--dot", "--show-artifacts").stdout)
    assert sum(label.startswith(("one\\n", "two\\n")) for label in labels.values()) == 2
    text = project.roar("dag", "--mermaid", "--show-artifacts").stdout
    assert len(re.findall(r"^  \w+ --> \w+$", text, re.MULTILINE)) == 3
