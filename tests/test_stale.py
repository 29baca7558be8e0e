"""A step is stale when what it read is not what it would read today, and each reason is told."""

from __future__ import annotations

import os
from typing import Any

import pytest

from roar_core.testing.projects import ProjectUnderTest

COPY = "cp {} {}"


def copy(project: ProjectUnderTest, source: str, target: str) -> None:
    assert project.run("cp", source, target).exit_code == 0


def reasons(project: ProjectUnderTest) -> dict[str, list[tuple[str, str | None]]]:
    """(code, file or step) of every reason, by stale step, as `roar status` tells them."""
    told = project.json("status")["stale"]
    return {step["step"]: [subject_of(reason) for reason in step["stale_reasons"]] for step in told}


def subject_of(reason: dict[str, Any]) -> tuple[str, str | None]:
    if reason["file"] is not None:
        return reason["code"], reason["file"]["relative"]
    return reason["code"], reason["step"]


@pytest.fixture
def chain(project: ProjectUnderTest) -> ProjectUnderTest:
    """raw -> @1 -> clean -> @2 -> model -> @3 -> report, and @4 that has nothing to do with it."""
    project.write("raw", "raw 1")
    project.write("other", "other 1")
    copy(project, "raw", "clean")
    copy(project, "clean", "model")
    copy(project, "model", "report")
    copy(project, "other", "elsewhere")
    return project


def test_a_fresh_pipeline_is_not_stale(chain: ProjectUnderTest) -> None:
    status = chain.json("status")
    assert (status["stale"], status["unchecked"]) == ([], [])
    assert "stale     nothing" in chain.roar("status").stdout
    assert all(step["stale"] is False for step in chain.json("dag")["steps"])


def test_a_changed_input_makes_its_reader_stale_and_all_that_read_from_it(
    chain: ProjectUnderTest,
) -> None:
    chain.write("raw", "raw 2")
    assert reasons(chain) == {
        "@1": [("input_changed", "raw")],
        "@2": [("upstream_stale", "@1")],
        "@3": [("upstream_stale", "@2")],
    }
    assert "@1 cp raw clean: raw changed" in chain.roar("status").stdout


def test_a_missing_input_is_called_missing(chain: ProjectUnderTest) -> None:
    (chain.root / "other").unlink()
    assert reasons(chain) == {"@4": [("input_missing", "other")]}
    assert "other is missing" in chain.roar("dag").stdout


def test_touching_an_input_changes_nothing(chain: ProjectUnderTest) -> None:
    os.utime(chain.root / "raw")
    assert reasons(chain) == {}


def test_equal_size_and_restored_mtime_do_not_hide_a_change(chain: ProjectUnderTest) -> None:
    before = (chain.root / "raw").stat()
    chain.write("raw", "raw 9")
    os.utime(chain.root / "raw", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reasons(chain)["@1"] == [("input_changed", "raw")]


def test_an_upstream_step_run_again_with_another_result_is_told_as_that(
    chain: ProjectUnderTest,
) -> None:
    chain.write("raw", "raw 2")
    copy(chain, "raw", "clean")
    assert reasons(chain) == {"@2": [("upstream_rerun", "@1")], "@3": [("upstream_stale", "@2")]}


def test_an_upstream_step_run_again_with_the_same_result_changes_nothing(
    chain: ProjectUnderTest,
) -> None:
    copy(chain, "raw", "clean")
    assert reasons(chain) == {}


def test_running_the_stale_steps_again_brings_all_up_to_date(chain: ProjectUnderTest) -> None:
    chain.write("raw", "raw 2")
    copy(chain, "raw", "clean")
    copy(chain, "clean", "model")
    copy(chain, "model", "report")
    assert reasons(chain) == {}


def test_the_stock_clients_blind_spot_an_edited_source_input_outside_any_step(
    chain: ProjectUnderTest,
) -> None:
    """The stock client compares artifacts that steps produced only."""
    chain.write("other", "other 2")
    assert reasons(chain) == {"@4": [("input_changed", "other")]}


def test_a_file_that_a_step_updates_in_place_does_not_make_it_stale(
    project: ProjectUnderTest,
) -> None:
    project.write("log", "0")
    assert project.run("sh", "-c", "x=$(cat log); echo $x 1 > log").exit_code == 0
    assert reasons(project) == {}


def test_dag_marks_stale_steps_and_stale_only_shows_no_others(chain: ProjectUnderTest) -> None:
    chain.write("raw", "raw 2")
    drawn = chain.roar("dag").stdout.splitlines()
    assert [("stale: " in line) for line in drawn] == [True, True, True, False]
    only = chain.roar("dag", "--stale-only")
    assert "@4" not in only.stdout
    assert [line.strip() for line in only.stdout.splitlines()][1::2] == [
        "raw changed",
        "@1 is stale",
        "@2 is stale",
    ]
    document = chain.json("dag", "--stale-only")
    assert [step["step"] for step in document["steps"]] == ["@1", "@2", "@3"]


def test_stale_only_of_a_fresh_pipeline_says_so_and_prints_nothing(chain: ProjectUnderTest) -> None:
    result = chain.roar("dag", "--stale-only")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no step is stale, of 4" in result.stderr


def test_hostile_names_are_told_without_steering_the_terminal(project: ProjectUnderTest) -> None:
    name = os.fsdecode(b"bad\xff\n\x1b[31m<script>")
    project.write(name, "1")
    copy(project, name, "out")
    project.write(name, "2")
    for command in (("status",), ("dag",), ("dag", "--stale-only")):
        shown = project.roar(*command).stdout
        assert "\\xff\\n\\x1b[31m<script> changed" in shown
        assert "\x1b" not in shown
    [step] = project.json("status")["stale"]
    assert "raw" in step["stale_reasons"][0]["file"]


def commit(project: ProjectUnderTest) -> None:
    name = "-c user.name=t -c user.email=t@example.org -c commit.gpgsign=false"
    done = project.shell(f"git init -q; git add -A; git {name} commit -q --allow-empty -m x")
    assert done.exit_code == 0, done.stdout


@pytest.fixture
def code(project: ProjectUnderTest) -> ProjectUnderTest:
    """A step whose code is committed: a script, a module it imports, and one that it does not."""
    project.write("train.py", "import steps\nopen('model', 'w').write(steps.WORD)\n")
    project.write("steps.py", "WORD = 'hello'\n")
    project.write("unused.py", "")
    project.write(".gitignore", "__pycache__\nmodel\n")
    commit(project)
    assert project.run("python", "train.py").exit_code == 0
    copy(project, "model", "report")
    return project


def test_changed_code_makes_a_step_stale_committed_or_not(code: ProjectUnderTest) -> None:
    assert reasons(code) == {}
    code.write("steps.py", "WORD = 'other'\n")
    expected = {"@1": [("code_changed", "steps.py")], "@2": [("upstream_stale", "@1")]}
    assert reasons(code) == expected
    commit(code)
    assert reasons(code) == expected


def test_a_new_commit_that_leaves_the_steps_code_alone_changes_nothing(
    code: ProjectUnderTest,
) -> None:
    code.write("unused.py", "print('new')\n")
    commit(code)
    assert reasons(code) == {}


def test_a_script_that_is_gone_is_told(code: ProjectUnderTest) -> None:
    (code.root / "train.py").unlink()
    assert reasons(code)["@1"] == [("code_missing", "train.py")]


def test_code_is_compared_although_its_commit_is_gone(code: ProjectUnderTest) -> None:
    code.write("train.py", "print('new history')\n")
    assert code.shell("rm -rf .git").exit_code == 0
    assert reasons(code)["@1"] == [("code_changed", "train.py")]


def test_a_run_from_a_changed_checkout_is_compared_with_what_it_ran(
    code: ProjectUnderTest,
) -> None:
    code.write("steps.py", "WORD = 'edited'\n")
    assert code.run("python", "train.py").exit_code == 0
    assert "@1" not in reasons(code)
    assert code.shell("git checkout -q steps.py").exit_code == 0
    assert reasons(code)["@1"] == [("code_changed", "steps.py")]


def dataset(project: ProjectUnderTest, chunks: int = 4) -> None:
    project.write("data.zarr/zarr.json", '{"node_type": "group"}')
    project.write("data.zarr/x/zarr.json", '{"node_type": "array"}')
    for number in range(chunks):
        project.write(f"data.zarr/x/c/{number}", f"chunk {number}")


READ_ALL = "cat $(find data.zarr -type f) > out"


def test_a_dataset_is_stale_by_its_members_and_tells_which(project: ProjectUnderTest) -> None:
    dataset(project)
    assert project.run("sh", "-c", READ_ALL).exit_code == 0
    assert reasons(project) == {}
    project.write("data.zarr/x/c/2", "CHUNK 2")
    assert reasons(project) == {"@1": [("input_changed", "data.zarr")]}
    assert "changed 'x/c/2'" in project.roar("status").stdout


def test_a_new_member_counts_for_who_read_all_and_not_for_who_read_one(
    project: ProjectUnderTest,
) -> None:
    dataset(project)
    assert project.run("sh", "-c", READ_ALL).exit_code == 0
    assert project.run("cp", "data.zarr/x/c/1", "one").exit_code == 0
    project.write("data.zarr/x/c/9", "chunk 9")
    assert reasons(project) == {"@1": [("input_changed", "data.zarr")]}
    assert "new 'x/c/9'" in project.roar("status").stdout


def test_a_dataset_that_is_gone_is_missing(project: ProjectUnderTest) -> None:
    dataset(project)
    assert project.run("sh", "-c", READ_ALL).exit_code == 0
    assert project.shell("rm -r data.zarr").exit_code == 0
    assert reasons(project) == {"@1": [("input_missing", "data.zarr")]}


def test_what_was_not_checked_is_said(chain: ProjectUnderTest) -> None:
    assert chain.roar("reset").exit_code == 0
    copy(chain, "report", "again")
    status = chain.json("status")
    [step] = status["unchecked"]
    assert step["unchecked"][0]["code"] == "upstream"
    assert "unchecked 1 step in full; @1" in chain.roar("status").stdout
    assert chain.json("dag")["steps"][0]["stale"] is None
