"""Lineage goes from one project into another and loses nothing; what is wrong changes nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from roar_core.testing.projects import ProjectUnderTest


@pytest.fixture
def other(project: ProjectUnderTest, tmp_path: Path) -> ProjectUnderTest:
    """A second project, with nothing recorded in it."""
    root = tmp_path / "other"
    (root / ".roar").mkdir(parents=True)
    return ProjectUnderTest(root, project.home, project.plugins, project.environ)


@pytest.fixture
def graph(project: ProjectUnderTest) -> dict[str, Any]:
    """What was recorded in the first project: a chain, a dataset, a rerun, a secret, a failure."""
    project.write("in.txt", "1")
    for name in ("zarr.json", "c0", "c1"):
        project.write(f"data.zarr/{name}", name)
    bad = "x\udcff.txt"
    project.roar("run", "--", "sh", "-c", "cat in.txt data.zarr/c0 > a.txt")
    project.roar("run", "--", "cp", "a.txt", bad)
    project.roar("run", "--", "cp", "a.txt", bad)
    project.roar(
        "run", "-n", "last", "--", "sh", "-c", "cat x*.txt > b.txt; exit 4", "--token", "T"
    )
    project.roar("run", "--", "sh", "-c", "cp -r data.zarr copy.zarr; cat b.txt > c.txt")
    document: dict[str, Any] = json.loads(project.roar("export").stdout)
    return document


def put(project: ProjectUnderTest, document: Any, name: str = "graph.json") -> str:
    path = project.root.parent / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_nothing_is_lost_on_the_way(other: ProjectUnderTest, graph: dict[str, Any]) -> None:
    done = other.json("import", put(other, graph))
    assert (done["jobs"], done["known"], done["sessions"]) == (5, 0, [-1])
    assert json.loads(other.roar("export", "session:-1").stdout) == graph


def test_importing_again_adds_nothing(other: ProjectUnderTest, graph: dict[str, Any]) -> None:
    path = put(other, graph)
    other.roar("import", path)
    before = rows_of(other)
    again = other.json("import", path)
    assert (again["jobs"], again["known"], again["artifacts"], again["sessions"]) == (0, 5, 0, [])
    assert rows_of(other) == before


def test_importing_into_the_project_it_comes_from_adds_nothing(
    project: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    before = rows_of(project)
    assert project.json("import", put(project, graph))["jobs"] == 0
    assert rows_of(project) == before


def rows_of(project: ProjectUnderTest) -> dict[str, list[Any]]:
    tables = ("session", "imported_session", "job", "artifact", "digest", "edge", "composite_use")
    with closing(sqlite3.connect(project.root / ".roar/roar.db")) as db:
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def test_a_part_and_then_the_whole_are_one_session(
    project: ProjectUnderTest, other: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    part = json.loads(project.roar("export", "@1").stdout)
    assert other.json("import", put(other, part))["jobs"] == 1
    done = other.json("import", put(other, graph))
    assert (done["jobs"], done["known"], done["sessions"]) == (4, 1, [])
    assert json.loads(other.roar("export", "session:-1").stdout) == graph


def test_what_was_made_elsewhere_is_the_producer_of_what_is_read_here(
    project: ProjectUnderTest, other: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    (other.root / "c.txt").write_bytes((project.root / "c.txt").read_bytes())
    before = other.run("cp", "c.txt", "before.txt")
    assert before.job is not None
    assert before.job["inputs"][0]["producer"] is None
    other.roar("import", put(other, graph))
    after = other.run("cp", "c.txt", "after.txt")
    assert after.job is not None
    maker = next(job["uid"] for job in graph["jobs"] if job["step"] == "@4")
    assert after.job["inputs"][0]["producer"] == maker
    assert other.json("show", before.job["uid"])["inputs"][0]["producer"] == maker
    upstream = json.loads(other.roar("export", "@1").stdout)
    # The failed attempt wrote what the next step read.
    assert [job["uid"] for job in upstream["jobs"]][-2:] == [maker, before.job["uid"]]
    assert len(upstream["jobs"]) == 5


def test_what_tied_jobs_ties_them_although_two_clocks_disagree(
    other: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    driver, reader, task = (graph["jobs"][number] for number in (4, 3, 0))
    task["parent"], task["kind"], task["step"] = driver["uid"], "task", None
    driver["parent"] = reader["parent"] = None
    # By the clock of where it ran, the job that started it and wrote it all began last.
    named = {edge["producer"] for edge in driver["inputs"]} - {None}
    assert named == {reader["uid"]}
    reader["started_at"] = "2099-01-01T00:00:00.000000000Z"
    graph["jobs"] = [task, driver, reader, *graph["jobs"][1:3]]
    other.roar("import", put(other, graph))
    assert other.json("show", task["uid"])["parent"] == driver["uid"]
    told = other.json("show", driver["uid"])["inputs"]
    assert reader["uid"] in {edge["producer"] for edge in told}
    # Two that started each other cannot be; neither is lost for it.
    graph["jobs"][0]["uid"], graph["jobs"][1]["uid"] = "a" * 32, "b" * 32
    graph["jobs"][0]["parent"], graph["jobs"][1]["parent"] = "b" * 32, "a" * 32
    again = other.json("import", put(other, graph))
    assert (again["jobs"], again["known"]) == (2, 3)


def test_imported_jobs_are_marked_and_not_of_the_session_here(
    other: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    other.roar("import", put(other, graph))
    assert other.json("log")["total"] == 0
    uid = graph["jobs"][0]["uid"]
    job = other.json("show", uid)
    assert (job["imported"], job["session"], job["step"]) == (True, -1, "@1")
    assert "recorded in another project" in other.roar("show", uid).stdout
    mine = other.run("true")
    assert mine.job is not None
    assert (mine.job["imported"], mine.job["session"], mine.job["step"]) == (False, 1, "@1")


def test_what_is_recorded_here_is_newer_than_all_that_was_imported(
    other: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    other.write("in.txt", "1")
    mine = other.run("sh", "-c", "echo other > c.txt")
    assert mine.job is not None
    other.roar("import", put(other, graph))
    assert other.json("show", "c.txt")["producer"]["uid"] == mine.job["uid"]


def test_an_imported_record_survives_a_recovery(
    other: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    other.roar("import", put(other, graph))
    assert other.roar("db", "integrity").exit_code == 0
    assert other.roar("db", "recover", "--force").exit_code == 0
    assert json.loads(other.roar("export", "session:-1").stdout) == graph


def changed(document: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(document))
    change(copy)
    return copy


def dataset(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(a for a in document["artifacts"] if a["composite"])
    return found


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another document": (lambda g: g.update(type="dag"), "a document of type 'dag'"),
    "a newer schema": (lambda g: g.update(schema=2), "this roar knows 1; upgrade roar-core"),
    "a path that leaves": (
        lambda g: g["jobs"][0]["outputs"][0].update(path="../../etc/passwd"),
        "leads out of the project",
    ),
    "a directory that leaves": (
        lambda g: g["jobs"][0].update(cwd="a/../../b"),
        "leads out of the project",
    ),
    "members of another dataset": (
        lambda g: dataset(g)["composite"]["components"][0].update(hash="blake3:" + "0" * 64),
        "are those of another",
    ),
    "too few bits": (
        lambda g: g["jobs"][0]["inputs"][0]["composite"].update(bits=""),
        "miscounts the members",
    ),
    "no base64": (
        lambda g: g["jobs"][1]["outputs"][0].update(raw="*"),
        "is no base64",
    ),
    "a number for a name": (lambda g: g["jobs"][0].update(tracer=5), "jobs[0]"),
    "a name for a number": (lambda g: g["jobs"][0].update(exit_code="0"), "jobs[0]"),
    "no uid": (lambda g: g["jobs"][0].update(uid="x"), "cannot be a uid"),
    "half a character": (lambda g: g["jobs"][0].update(tracer="\ud800"), "jobs[0]"),
    "a huge number": (lambda g: g["jobs"][0].update(exit_code=2**70), "out of range"),
    "a wrong time": (
        lambda g: g["jobs"][0].update(started_at="9999-12-31T00:00:00Z"),
        "cannot be true",
    ),
    "a session nobody told": (lambda g: g.update(sessions=[]), "does not say what the session"),
    "a dataset nobody told": (
        lambda g: g["artifacts"].remove(dataset(g)),
        "does not say what the dataset",
    ),
    "a state nobody knows": (lambda g: g["jobs"][0].update(state="running"), "jobs[0]"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_graph_that_is_wrong_changes_nothing(
    other: ProjectUnderTest, graph: dict[str, Any], what: str
) -> None:
    change, sentence = WRONG[what]
    other.run("true")
    before = rows_of(other)
    result = other.roar("import", put(other, changed(graph, change)))
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert rows_of(other) == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ('{"schema": 1, "type": "graph"} x', "something follows"),
        ("[1]", "is no JSON"),
        ("[" * 200_000, "is no JSON"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"schema": 1, "type": "graph", "jobs": [1]}', "jobs[0]"),
    ],
)
def test_what_is_no_graph_is_one_sentence(
    other: ProjectUnderTest, text: str, sentence: str
) -> None:
    result = other.roar("import", put(other, text))
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_file_and_a_folder_are_one_sentence(other: ProjectUnderTest) -> None:
    for path, sentence in (("none.json", "there is no file 'none.json'"), (".", "cannot be read")):
        result = other.roar("import", path)
        assert (result.exit_code, sentence in result.stderr) == (1, True)


def test_a_graph_comes_from_a_pipe_and_in_any_layout(
    other: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    backwards = dict(reversed(list(graph.items())))
    path = put(other, json.dumps(backwards, indent=3))
    result = other.shell(f"{' '.join(other.roar_argv)} import - < {path}")
    assert result.stdout.startswith("imported 5 jobs")
    assert json.loads(other.roar("export", "session:-1").stdout) == graph


def test_fields_of_a_later_version_do_no_harm(
    other: ProjectUnderTest, graph: dict[str, Any]
) -> None:
    later = changed(graph, lambda g: (g.update(new=1), g["jobs"][0].update(new=[1])))
    assert other.json("import", put(other, later))["jobs"] == 5
