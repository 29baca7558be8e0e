"""`roar diff` finds what made two results differ, and ranks the likeliest reason first."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from roar_core.testing.projects import ProjectUnderTest

PREPARE = "open('clean.csv', 'w').write(open('raw.csv').read())\n"
TRAIN = """\
import json, sys
lr, data, out = float(sys.argv[2]), sys.argv[3], sys.argv[4]
rows = len(open(data).readlines())
json.dump({"accuracy": lr * rows, "rows": rows}, open(out, "w"))
"""


@pytest.fixture
def pipeline(project: ProjectUnderTest) -> ProjectUnderTest:
    """raw.csv -> prepare.py -> clean.csv -> train.py -> one.json, in a git repository."""
    project.write("prepare.py", PREPARE)
    project.write("train.py", TRAIN)
    project.write("raw.csv", "x\n1\n2\n")
    project.write(".gitignore", ".roar\n*.json\nclean.csv\n__pycache__\n")
    commit(project)
    run(project, "python", "prepare.py")
    run(project, "python", "train.py", "--lr", "0.5", "clean.csv", "one.json")
    return project


def commit(project: ProjectUnderTest) -> None:
    name = "-c user.name=t -c user.email=t@example.org -c commit.gpgsign=false"
    done = project.shell(f"git init -q; git add -A; git {name} commit -q --allow-empty -m x")
    assert done.exit_code == 0, done.stdout


def run(project: ProjectUnderTest, *command: str, code: int = 0) -> dict[str, Any]:
    result = project.run(*command)
    assert result.exit_code == code, result.stderr
    assert result.job is not None
    return dict(result.job)


def told(project: ProjectUnderTest, a: str, b: str) -> list[tuple[str, str]]:
    """(code, subject) of every change, the likeliest first."""
    return [(c["code"], c["subject"]) for c in project.json("diff", a, b)["changes"]]


def test_two_runs_with_the_same_result_do_not_differ(pipeline: ProjectUnderTest) -> None:
    run(pipeline, "python", "prepare.py")
    document = pipeline.json("diff", "@1.1", "@1")
    assert (document["identical"], document["changes"], document["outputs"]) == (True, [], [])
    assert "nothing differs" in pipeline.roar("diff", "@1.1", "@1").stdout


def test_a_parameter_explains_another_result_and_the_values_are_shown(
    pipeline: ProjectUnderTest,
) -> None:
    run(pipeline, "python", "train.py", "--lr=0.75", "clean.csv", "two.json", code=1)
    run(pipeline, "python", "train.py", "--lr", "0.75", "clean.csv", "two.json")
    document = pipeline.json("diff", "one.json", "two.json")
    first = document["changes"][0]
    assert (first["code"], first["subject"]) == ("parameter_changed", "--lr")
    assert (first["before"], first["after"], first["effect"]) == ("0.5", "0.75", "yes")
    assert document["shared"] == 1
    [output] = document["outputs"]
    assert output["values"] == [{"where": "accuracy", "before": "1.5", "after": "2.25"}]
    shown = pipeline.roar("diff", "one.json", "two.json").stdout
    assert "--lr: 0.5 → 0.75" in shown
    assert "accuracy: 1.5 → 2.25" in shown


def test_a_failed_attempt_differs_by_its_exit_code(pipeline: ProjectUnderTest) -> None:
    run(pipeline, "python", "train.py", "clean.csv", code=1)
    shown = pipeline.roar("diff", "@2", "@3").stdout
    assert "succeeded → failed with exit code 1" in shown


def test_changed_data_at_the_root_comes_before_what_it_did_to_later_steps(
    pipeline: ProjectUnderTest,
) -> None:
    pipeline.write("raw.csv", "x\n1\n3\n4\n")
    run(pipeline, "python", "prepare.py")
    run(pipeline, "python", "train.py", "--lr", "0.75", "clean.csv", "two.json")
    document = pipeline.json("diff", "one.json", "two.json")
    codes = [(c["code"], c["subject"], c["level"]) for c in document["changes"]]
    assert codes[:2] == [("input_changed", "raw.csv", 0), ("parameter_changed", "--lr", 1)]
    # clean.csv differs because of raw.csv: it is no reason of its own.
    assert "clean.csv" not in [c["subject"] for c in document["changes"]]
    assert {step["verdict"] for step in document["steps"]} == {"changed"}
    # What raw.csv was is still to be had from the commit.
    assert {"where": "rows", "before": "2", "after": "3"} in document["changes"][0]["values"]


def test_changed_code_is_told_by_the_files_the_step_read(pipeline: ProjectUnderTest) -> None:
    pipeline.write("train.py", TRAIN.replace("lr * rows", "lr + rows"))
    pipeline.write("unused.py", "")
    commit(pipeline)
    run(pipeline, "python", "train.py", "--lr", "0.5", "clean.csv", "one.json")
    change = pipeline.json("diff", "@2.1", "@2")["changes"][0]
    assert (change["code"], change["files"]) == ("code_changed", ["train.py"])
    [commits] = change["commits"]
    assert commits["files"] == [
        {"status": "M", "path": "train.py"},
        {"status": "A", "path": "unused.py"},
    ]


def test_a_commit_that_left_the_code_alone_explains_nothing(pipeline: ProjectUnderTest) -> None:
    pipeline.write("unused.py", "")
    commit(pipeline)
    run(pipeline, "python", "train.py", "--lr", "0.75", "clean.csv", "two.json")
    assert told(pipeline, "one.json", "two.json")[0] == ("parameter_changed", "--lr")
    assert "commit" not in pipeline.roar("diff", "one.json", "two.json").stdout


def test_without_git_a_changed_script_is_code_and_no_data(project: ProjectUnderTest) -> None:
    for number in ("1", "2"):
        project.write("write.py", f"open('out', 'w').write('{number}')\n")
        run(project, "python", "write.py")
    [change] = project.json("diff", "@1.1", "@1")["changes"]
    assert (change["category"], change["subject"]) == ("code", "write.py")
    assert change["values_note"] == "the version of A is no longer here to be compared"


def test_uncommitted_changes_are_told(pipeline: ProjectUnderTest) -> None:
    pipeline.write("train.py", TRAIN.replace("lr * rows", "lr + rows"))
    run(pipeline, "python", "train.py", "--lr", "0.5", "clean.csv", "one.json")
    change = pipeline.json("diff", "@2.1", "@2")["changes"][0]
    assert (change["code"], change["files"]) == ("code_changed", ["train.py"])
    assert change["after"].endswith("and uncommitted changes")


def test_a_commit_that_is_gone_is_said_and_the_rest_is_told(pipeline: ProjectUnderTest) -> None:
    assert pipeline.shell("rm -rf .git").exit_code == 0
    pipeline.write("train.py", TRAIN.replace("lr * rows", "lr + rows"))
    commit(pipeline)
    run(pipeline, "python", "train.py", "--lr", "0.5", "clean.csv", "one.json")
    result = pipeline.roar("diff", "@2.1", "@2")
    assert result.exit_code == 0
    assert "train.py changed" in result.stdout
    assert "is not in this checkout" in result.stdout


def test_a_version_that_was_overwritten_is_said_to_be_gone(pipeline: ProjectUnderTest) -> None:
    run(pipeline, "python", "train.py", "--lr", "0.75", "clean.csv", "one.json")
    [output] = pipeline.json("diff", "@2", "@3")["outputs"]
    assert output["values"] == []
    assert output["values_note"] == "the version of A is no longer here to be compared"


def test_inputs_are_never_matched_by_their_base_name(project: ProjectUnderTest) -> None:
    """The stock client takes a/data.csv and b/data.csv for one file."""
    for folder, text in (("a", "1"), ("b", "2"), ("c", "3")):
        project.write(f"{folder}/data.csv", text)
    run(project, "sh", "-c", "cat a/data.csv b/data.csv > one")
    run(project, "sh", "-c", "cat c/data.csv b/data.csv > two")
    changes = [c for c in project.json("diff", "@1", "@2")["changes"] if c["category"] == "data"]
    assert {(c["code"], c["subject"]) for c in changes} == {
        ("input_removed", "a/data.csv"),
        ("input_added", "c/data.csv"),
    }


def test_inputs_in_one_role_are_matched_by_it(project: ProjectUnderTest) -> None:
    project.write("a/data.csv", "1")
    project.write("b/other.csv", "2")
    run(project, "cp", "a/data.csv", "one")
    run(project, "cp", "b/other.csv", "two")
    [change] = [c for c in project.json("diff", "@1", "@2")["changes"] if c["category"] == "data"]
    assert (change["code"], change["subject"]) == ("input_changed", "#1")
    assert (change["before"], change["after"]) == ("a/data.csv", "b/other.csv")


def test_the_same_bytes_at_another_place_are_no_other_data(project: ProjectUnderTest) -> None:
    project.write("a/data.csv", "1")
    project.write("b/renamed.csv", "1")
    run(project, "sh", "-c", "cat a/data.csv > one")
    run(project, "sh", "-c", "cat b/renamed.csv > two")
    changes = project.json("diff", "@1", "@2")["changes"]
    assert [c["code"] for c in changes if c["category"] == "data"] == ["input_moved"]


def test_positional_parameters_count(pipeline: ProjectUnderTest) -> None:
    """The stock client compares `--k=v` and `--k v` only."""
    pipeline.write("count.py", "import sys; open('n.json', 'w').write(sys.argv[1])")
    run(pipeline, "python", "count.py", "10")
    run(pipeline, "python", "count.py", "20")
    assert ("parameter_changed", "#1") in told(pipeline, "@3", "@4")


def test_another_variable_is_told(project: ProjectUnderTest) -> None:
    project.write("roar.toml", 'environment.variables = ["SEED"]\n')
    for seed in ("1", "2"):
        result = project.run("sh", "-c", "echo $SEED > out", environ={"SEED": seed})
        assert result.exit_code == 0
    change = project.json("diff", "@1.1", "@1")["changes"][0]
    assert (change["category"], change["subject"]) == ("environment", "SEED")
    assert (change["before"], change["after"]) == ("1", "2")


def test_a_result_that_nothing_explains_is_said_to_be_unexplained(
    project: ProjectUnderTest,
) -> None:
    for _ in range(2):
        run(project, "sh", "-c", "cat /proc/sys/kernel/random/uuid > out")
    assert told(project, "@1.1", "@1") == [("unexplained", "results")]
    assert "not deterministic" in project.roar("diff", "@1.1", "@1").stdout


def test_a_change_without_effect_is_ranked_below_one_with(project: ProjectUnderTest) -> None:
    project.write("a", "1")
    run(project, "sh", "-c", "cat a > b", "first", "x")
    run(project, "sh", "-c", "cat b > c; echo 1 > d", "second", "y")
    run(project, "sh", "-c", "cat a > b", "first", "z")
    run(project, "sh", "-c", "cat b > c; echo 2 > d", "second", "y")
    changes = project.json("diff", "session:1", "session:1")["changes"]
    assert changes == []
    [first, *rest] = project.json("diff", "@2", "@4")["changes"]
    assert first["effect"] == "yes"
    assert all(change["likelihood"] <= first["likelihood"] for change in rest)


def test_sessions_are_compared_step_by_step(pipeline: ProjectUnderTest) -> None:
    assert pipeline.roar("reset").exit_code == 0
    run(pipeline, "python", "prepare.py")
    run(pipeline, "python", "train.py", "--lr", "0.75", "clean.csv", "one.json")
    run(pipeline, "cp", "one.json", "copy.json")
    document = pipeline.json("diff", "session:1", "session:current")
    verdicts = sorted(step["verdict"] for step in document["steps"])
    assert verdicts == ["added", "changed", "same"]
    assert document["changes"][0]["subject"] == "--lr"
    drawn = pipeline.roar("diff", "session:1", "session:2", "--format", "dag").stdout
    assert [line[0] for line in drawn.splitlines() if line[:2] in ("= ", "~ ", "+ ")] == [
        *("=", "~", "+"),
    ]


def test_a_rewired_input_is_told(project: ProjectUnderTest) -> None:
    project.write("raw", "1")
    run(project, "cp", "raw", "clean")
    run(project, "sh", "-c", "cat clean > out")
    run(project, "sh", "-c", "echo made > clean")
    run(project, "sh", "-c", "cat clean > out")
    codes = [code for code, _ in told(project, "@2.1", "@2")]
    assert "rewired" in codes or "program_changed" in codes


def test_every_form_shows_hostile_names_without_steering_the_terminal(
    project: ProjectUnderTest,
) -> None:
    name = os.fsdecode(b"bad\xff\n\x1b[31m<script>.txt")
    for text in ("1", "2"):
        project.write(name, text)
        run(project, "cp", name, "out")
    for form in ("summary", "category", "dag"):
        shown = project.roar("diff", "@1.1", "@1", "--format", form)
        assert shown.exit_code == 0
        assert "bad\\xff\\n\\x1b[31m<script>.txt changed" in shown.stdout
        assert "\x1b" not in shown.stdout
    json.dumps(project.json("diff", "@1.1", "@1"))


def test_files_that_no_job_made_are_compared_as_bytes(project: ProjectUnderTest) -> None:
    project.write("a", "1")
    project.write("b", "2")
    run(project, "sh", "-c", "cat a b > /dev/null")
    document = project.json("diff", "a", "b")
    assert document["identical"] is False
    assert "no recorded job made either" in project.roar("diff", "a", "b").stdout


@pytest.mark.parametrize("ref", ["@9", "nothing", "session:9", "ffffffff", ""])
def test_a_reference_that_names_nothing_is_one_sentence(
    project: ProjectUnderTest, ref: str
) -> None:
    project.write("a", "1")
    run(project, "cp", "a", "b")
    result = project.roar("diff", "@1", ref)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr
