"""Questions about lineage, asked of real runs: what it came from, what came of it, and why."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from roar_core.testing.projects import ProjectUnderTest


def sh(project: ProjectUnderTest, script: str) -> str:
    """Record a shell script; return its job's uid."""
    job = project.run("sh", "-c", script).job
    assert job is not None
    return str(job["uid"])


@pytest.fixture
def pipeline(project: ProjectUnderTest) -> ProjectUnderTest:
    """raw -> clean -> train, test -> model -> report; the report also from test; and a stranger."""
    project.write("raw.csv", "raw\n")
    project.write("params.toml", "params\n")
    for script in (
        "cat raw.csv params.toml > clean.csv",
        "echo train $(cat clean.csv) > train.csv; echo test $(cat clean.csv) > test.csv",
        "echo model $(cat train.csv) > model.txt",
        "echo report $(cat model.txt test.csv) > report.txt",
        "echo other > other.txt",
    ):
        sh(project, script)
    return project


def steps(document: dict[str, Any]) -> list[str]:
    return [job["step"] for job in document["jobs"]]


def names(edges: list[dict[str, Any]]) -> set[str]:
    return {edge["relative"] for edge in edges}


def test_lineage_is_every_job_it_came_from_nearest_first(pipeline: ProjectUnderTest) -> None:
    found = pipeline.json("lineage", "report.txt")
    assert steps(found) == ["@4", "@2", "@3", "@1"] or steps(found) == ["@4", "@3", "@2", "@1"]
    assert [job["distance"] for job in found["jobs"]] == [0, 1, 1, 2]
    assert names(found["inputs"]) == {"raw.csv", "params.toml"}
    text = pipeline.roar("lineage", "report.txt").stdout
    assert "@4" in text
    assert "@5" not in text
    assert "2 inputs that no recorded job made" in text


@pytest.mark.parametrize("ref", ["@4", "report.txt", "uid", "hash"])
def test_all_ways_to_name_a_thing_ask_the_same(pipeline: ProjectUnderTest, ref: str) -> None:
    shown = pipeline.json("show", "@4")
    if ref == "uid":
        ref = shown["uid"][:8]
    elif ref == "hash":
        ref = shown["outputs"][0]["hash"][:20]
    assert set(steps(pipeline.json("lineage", ref))) == {"@1", "@2", "@3", "@4"}


def test_a_session_is_all_of_its_jobs(pipeline: ProjectUnderTest) -> None:
    assert set(steps(pipeline.json("lineage", "session:1"))) == {"@1", "@2", "@3", "@4", "@5"}
    assert pipeline.json("lineage", "session:current")["target"]["name"] == "session:1"
    missing = pipeline.roar("lineage", "session:9")
    assert missing.exit_code == 1
    assert "there is no session 9; there are 1 to 1" in missing.stderr


def test_depth_cuts_off_what_is_farther(pipeline: ProjectUnderTest) -> None:
    assert steps(pipeline.json("lineage", "report.txt", "--depth", "0")) == ["@4"]
    assert set(steps(pipeline.json("lineage", "@4", "--depth", "1"))) == {"@4", "@2", "@3"}


def test_a_chain_is_followed_to_its_end(project: ProjectUnderTest) -> None:
    """The stock client stops after ten jobs, and says nothing."""
    project.write("f0", "0")
    for number in range(15):
        sh(project, f"echo $(cat f{number}) {number} > f{number + 1}")
    found = project.json("lineage", "f15")
    assert len(found["jobs"]) == 15
    assert found["jobs"][-1]["distance"] == 14
    assert names(found["inputs"]) == {"f0"}
    assert len(project.json("impact", "f0")["jobs"]) == 15


def test_lineage_crosses_sessions(project: ProjectUnderTest) -> None:
    project.write("a", "a")
    sh(project, "echo b $(cat a) > b")
    project.roar("reset")
    sh(project, "echo c $(cat b) > c")
    found = project.json("lineage", "c")
    assert [(job["session"], job["step"]) for job in found["jobs"]] == [(2, "@1"), (1, "@1")]


def test_jobs_that_rewrite_a_file_in_turn_are_no_endless_walk(project: ProjectUnderTest) -> None:
    project.write("a", "1")
    for _ in range(3):
        sh(project, "cat a > b")
        sh(project, "cat b > c; cat c > a")
    found = project.json("lineage", "a")
    assert len({job["uid"] for job in found["jobs"]}) == len(found["jobs"])
    assert project.json("impact", "a")["jobs"]


def test_impact_is_every_job_that_ever_used_it(pipeline: ProjectUnderTest) -> None:
    found = pipeline.json("impact", "raw.csv")
    assert set(steps(found)) == {"@1", "@2", "@3", "@4"}
    made = {"clean.csv", "train.csv", "test.csv", "model.txt", "report.txt"}
    assert names(found["outputs"]) == made
    assert set(steps(pipeline.json("impact", "model.txt"))) == {"@4"}
    assert "no recorded job used it" in pipeline.roar("impact", "report.txt").stdout


def test_undone_jobs_have_no_impact(pipeline: ProjectUnderTest) -> None:
    from roar_core.store.writer import Store

    uid = pipeline.json("show", "@4")["uid"]
    with Store.open(pipeline.root / ".roar") as store:
        store.mark_undone(uid, 1)
    assert set(steps(pipeline.json("impact", "raw.csv"))) == {"@1", "@2", "@3"}


def test_inputs_are_what_no_recorded_job_made(pipeline: ProjectUnderTest) -> None:
    found = pipeline.json("inputs", "report.txt")["inputs"]
    assert names(found) == {"raw.csv", "params.toml"}
    assert {edge["source"] for edge in found} == {"nobody"}
    direct = pipeline.json("inputs", "report.txt", "--direct")["inputs"]
    assert {edge["relative"]: edge["source"] for edge in direct} == {
        "model.txt": "@3",
        "test.csv": "@2",
    }
    assert len(pipeline.json("inputs", "report.txt", "--all")["inputs"]) == 6


def test_what_a_commit_holds_is_not_unsourced(project: ProjectUnderTest) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", "-C", str(project.root), *identity, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    git("init", "-q")
    project.write("params.toml", "1")
    project.write("odd\nname.csv", "2")
    git("add", "-A")
    git("commit", "-qm", "x")
    project.write("data.csv", "3")
    sh(project, "cat params.toml data.csv odd*name.csv > out")
    found = project.json("inputs", "out")["inputs"]
    assert {edge["relative"]: edge["source"] for edge in found} == {
        "params.toml": "git",
        "data.csv": "nobody",
        # Its name cannot be asked git for: then nothing is claimed.
        "odd\nname.csv": "nobody",
    }
    unsourced = project.json("inputs", "out", "--unsourced")["inputs"]
    assert names(unsourced) == {"data.csv", "odd\nname.csv"}
    project.write("params.toml", "changed")
    sh(project, "cat params.toml > out2")
    [edge] = project.json("inputs", "out2")["inputs"]
    assert edge["source"] == "nobody"


def test_why_shows_a_way_through_jobs_and_what_passed(pipeline: ProjectUnderTest) -> None:
    found = pipeline.json("why", "raw.csv", "model.txt")
    assert [(step["job"]["step"], step["read"]["relative"]) for step in found["steps"]] == [
        ("@1", "raw.csv"),
        ("@2", "clean.csv"),
        ("@3", "train.csv"),
    ]
    assert pipeline.json("why", "model.txt", "raw.csv")["steps"] == found["steps"]
    text = pipeline.roar("why", "raw.csv", "model.txt").stdout
    assert text.index("raw.csv") < text.index("clean.csv") < text.index("train.csv")


@pytest.mark.parametrize("pair", [("model.txt", "test.csv"), ("other.txt", "report.txt")])
def test_what_has_nothing_to_do_with_each_other_is_not_tied(
    pipeline: ProjectUnderTest, pair: tuple[str, str]
) -> None:
    result = pipeline.roar("why", *pair)
    assert (result.exit_code, result.stdout) == (1, f"nothing ties {pair[0]} and {pair[1]}\n")
    assert pipeline.roar("why", *pair, "--json").exit_code == 1


def test_datasets_and_their_members_have_lineage(project: ProjectUnderTest) -> None:
    (project.root / "table").mkdir()
    for number in (1, 2):
        sh(project, f"echo {number} > table/part-{number}.parquet")
    sh(project, "cat table/*.parquet > all.txt")
    assert set(steps(project.json("lineage", "all.txt"))) == {"@1", "@2", "@3"}
    assert set(steps(project.json("lineage", "table"))) == {"@1", "@2"}
    assert steps(project.json("impact", "table/part-1.parquet")) == ["@3"]
    found = project.json("why", "table/part-2.parquet", "all.txt")
    assert [step["job"]["step"] for step in found["steps"]] == ["@3"]


def test_a_path_means_the_bytes_it_holds_now(pipeline: ProjectUnderTest) -> None:
    pipeline.write("copy.txt", (pipeline.root / "model.txt").read_text())
    assert set(steps(pipeline.json("lineage", "copy.txt"))) == {"@1", "@2", "@3"}
    pipeline.write("report.txt", (pipeline.root / "other.txt").read_text())
    assert steps(pipeline.json("lineage", "report.txt")) == ["@5"]


def test_an_ambiguous_prefix_lists_the_candidates(project: ProjectUnderTest) -> None:
    digests: dict[str, list[str]] = {}
    number = 0
    while not any(len(same) > 1 for same in digests.values()):
        number += 1
        digests.setdefault(blake3(str(number).encode()).hexdigest()[:4], []).append(str(number))
    prefix, same = next((k, v) for k, v in digests.items() if len(v) > 1)
    for content in same:
        project.write(content, content)
    sh(project, f"cat {' '.join(same)} > /dev/null")
    result = project.roar("lineage", prefix)
    assert result.exit_code == 1
    assert f"'{prefix}' is ambiguous" in result.stderr
    assert result.stderr.count("(artifact)") == 2


@pytest.mark.parametrize("command", [["lineage"], ["impact"], ["inputs"], ["why", "@1"]])
@pytest.mark.parametrize("ref", ["nope", "@99", "session:x", "", "\x1b[2J", "../../../etc/passwd"])
def test_what_is_not_recorded_is_one_sentence(
    pipeline: ProjectUnderTest, command: list[str], ref: str
) -> None:
    result = pipeline.roar(*command, ref)
    assert result.exit_code == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("roar: ")
    assert "\x1b" not in line


def test_odd_names_do_not_steer_the_terminal(project: ProjectUnderTest, tmp_path: Path) -> None:
    project.write("\x1b[2Jodd\n", "1")
    sh(project, "cat *odd* > out")
    for command in (["lineage", "out"], ["inputs", "out"], ["why", "\x1b[2Jodd\n", "out"]):
        result = project.roar(*command)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
