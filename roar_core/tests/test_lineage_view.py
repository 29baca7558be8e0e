"""The tree of a walk, told to a person: short where a platform has run thousands of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from roar_core.cli.lineage_view import tree
from roar_core.cli.task_view import group_lines
from roar_core.lineage.closure import Closure, Passing
from roar_core.lineage.session import JobRow, Place
from roar_core.lineage.tasks import TaskGroup, TaskRow


def row(number: int, name: str, state: str = "succeeded") -> JobRow:
    place = Place(True, 1, 1) if name == "train.py" else None
    kind = "run" if place else "task"
    rest = (None, None, 0, None, True, 0, 0, True, True)
    command = f'["{name}"]'
    return JobRow(number, f"{number:032x}"[::-1], None, 1, place, kind, name, command, state, *rest)


def told(
    names: Sequence[str],
    below: Mapping[int, Sequence[int]],
    platform: Sequence[int] = (),
    failed: Sequence[int] = (),
    *,
    limit: int | None = 100,
    remarks: Mapping[int, str] | None = None,
) -> list[str]:
    """The lines below the first job, without the uids of tasks."""
    jobs = {
        n: row(n, name, "failed" if n in failed else "succeeded") for n, name in enumerate(names)
    }
    distances, passings = {0: 0}, []
    for here, reached in below.items():
        for there in reached:
            distances.setdefault(there, distances[here] + 1)
            passings.append(Passing(here, there, None, is_result=True))
    closure = Closure(distances, tuple(passings))
    lines = tree(
        [0], closure, jobs, upstream=True, limit=limit, remarks=remarks, platform=set(platform)
    )
    for job in jobs.values():
        lines = [line.replace(f" {job.uid[:8]}", "") for line in lines]
    return lines[1:]


def test_many_tasks_of_one_name_share_a_line() -> None:
    names = ["train.py", *["load"] * 5, "merge"]
    below = {0: range(1, 6), 1: [6]}
    assert told(names, below, failed=[3]) == [
        "    ✗ 5 tasks  load  1 failed, 4 succeeded",
        "      ✓ task  merge",
    ]
    assert len(told(names, below, limit=None)) == 6
    assert len(told(names, {0: range(1, 4)})) == 3, "few are told one by one"


def test_a_task_of_which_there_is_a_remark_has_its_own_line() -> None:
    lines = told(["train.py", *["load"] * 6], {0: range(1, 7)}, remarks={2: "→ out"})
    assert sorted(lines) == ["    ✓ 5 tasks  load  5 succeeded", "    ✓ task  load  → out"]


def test_what_the_platform_led_to_stands_in_its_place() -> None:
    names = ["train.py", "Controller.run", "Controller.poll", "loop", "Controller.end"]
    below = {0: [1, 4], 1: [2], 2: [3]}
    assert told(names, below, platform=[1, 2, 4]) == [
        "    ✓ task  loop",
        "  … and 3 tasks of the platform itself: --all",
    ]


@pytest.mark.parametrize("most", [2, None])
def test_what_failed_of_many_is_listed_first_where_the_rest_is_cut(most: int | None) -> None:
    states = ["succeeded"] * 4 + ["failed"]
    rows = [
        TaskRow(row(n, "load", state), "ray", f"{n:048x}", 1, "here", "preload")
        for n, state in enumerate(states)
    ]
    counts = {"failed": 1, "succeeded": 4}
    group = TaskGroup("load", 5, 5, counts, counts, {}, (), 0, False, rows)
    listed = [*group_lines([group], None, expanded=True, most=most)][1:]
    assert all("attempt 1 on here" in line for line in listed[:2])
    assert [" failed" in line for line in listed].index(True) == (4 if most is None else 0)
    assert not any(24 * "0" in line for line in listed), "the uid says which it is"
