"""Which step a job is: the rules of design section "Steps", one by one."""

from __future__ import annotations

from typing import Any

import pytest

from roar_core.errors import NotFoundError
from roar_core.model.job import Step
from roar_core.store.owner import Owner
from roar_core.store.writer import Store

ME = Owner.current()


def test_steps_are_numbered_in_the_order_their_jobs_start(store: Store, jobs: Any) -> None:
    steps = [str(store.begin(jobs(name), owner=ME).step) for name in ("a", "b", "c")]
    assert steps == ["@1", "@2", "@3"]


def test_builds_count_on_their_own(store: Store, jobs: Any) -> None:
    made = [
        store.begin(jobs("make", name, kind=kind), owner=ME).step
        for name, kind in (("1", "run"), ("2", "build"), ("3", "run"), ("4", "build"))
    ]
    assert list(map(str, made)) == ["@1", "@B1", "@2", "@B2"]


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({}, Step(1, False, 2)),
        ({"command": ("python", "train.py", "--epochs", "2")}, Step(2)),
        ({"command": ("python", "./train.py")}, Step(2)),
        ({"cwd": "{root}/sub"}, Step(2)),
        ({"kind": "build"}, Step(1, True)),
        ({"kind": "get"}, Step(2)),
        ({"name": "another name"}, Step(1, False, 2)),
        ({"cwd": "/elsewhere/checkout", "project": "/elsewhere/checkout"}, Step(1, False, 2)),
    ],
    ids=["same", "arguments", "spelling", "directory", "build", "kind", "name", "moved project"],
)
def test_argv_cwd_and_kind_alone_make_a_step(
    store: Store, jobs: Any, change: dict[str, Any], step: Step
) -> None:
    store.begin(jobs("python", "train.py"), owner=ME)
    fields = {
        name: value.format(root=jobs.root) if isinstance(value, str) else value
        for name, value in change.items()
    }
    second = jobs(*fields.pop("command", ("python", "train.py")), **fields)
    assert store.begin(second, owner=ME).step == step


def test_an_attempt_names_the_one_it_repeats(store: Store, jobs: Any) -> None:
    first = store.begin(jobs("a"), owner=ME)
    second = store.begin(jobs("a"), owner=ME)
    third = store.begin(jobs("a"), owner=ME)
    assert (first.rerun_of, second.rerun_of, third.rerun_of) == (None, first.uid, second.uid)
    assert third.step == Step(1, False, 3)


def test_two_scripts_with_equal_paths_stay_two_steps(store: Store, jobs: Any) -> None:
    files = {"reads": {"in.csv": b"x"}, "writes": {"out.csv": b"y"}}
    one = jobs.record(store, "python", "one.py", **files)
    two = jobs.record(store, "python", "two.py", **files)
    assert (str(one.step), str(two.step)) == ("@1", "@2")


def test_a_step_run_again_by_its_number_keeps_it_whatever_the_command(
    store: Store, jobs: Any
) -> None:
    store.begin(jobs("a"), owner=ME)
    store.begin(jobs("b"), owner=ME)
    again = store.begin(jobs("a", "--changed"), owner=ME, rerun_of_step=Step(1))
    assert again.step == Step(1, False, 2)
    assert store.begin(jobs("a", "--changed"), owner=ME).step == Step(1, False, 3)


def test_a_step_that_is_not_there_cannot_be_run_again(store: Store, jobs: Any) -> None:
    with pytest.raises(NotFoundError, match="no step @7 in this session"):
        store.begin(jobs("a"), owner=ME, rerun_of_step=Step(7))
    assert store.running_jobs() == []


def test_an_undone_attempt_keeps_its_number_and_is_not_repeated(store: Store, jobs: Any) -> None:
    first = jobs.record(store, "a")
    second = jobs.record(store, "a")
    store.mark_undone(second.uid, 1)
    third = store.begin(jobs("a"), owner=ME)
    assert (third.step, third.rerun_of) == (Step(1, False, 3), first.uid)


def test_a_new_session_counts_from_one(store: Store, jobs: Any) -> None:
    first = jobs.record(store, "a")
    assert store.reset(5) != first.session
    again = store.begin(jobs("a"), owner=ME)
    assert (again.step, again.rerun_of) == (Step(1), None)


def test_a_job_below_another_has_no_step(store: Store, jobs: Any) -> None:
    parent = store.begin(jobs("ray", "job"), owner=ME)
    task = store.begin(jobs("task", kind="task", parent=parent.uid), owner=ME)
    assert (task.step, task.parent) == (None, parent.uid)
    assert str(store.begin(jobs("next"), owner=ME).step) == "@2"
