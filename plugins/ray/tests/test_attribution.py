"""Who did what in a worker: real tasks of every kind, compared with the names they wrote."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from agent_cluster import Cluster, Told

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc")]

# Function -> (attempts, calls of each, steps that read, steps that write), as workload.py has it.
EXPECTED = {
    "plain": ((1,), (0, 1, 2), ("r",), ("w",)),
    "flaky": ((1, 2, 3), (0,), ("r",), ("w",)),
    "killed": ((1, 2), (0,), ("r",), ("w",)),
    "threads": ((1,), (0, 1), ("pool1", "pool2", "fork"), ("thread",)),
    "stream": ((1,), (0,), ("y0", "y1", "y2", "y3"), ("y0", "y1", "y2", "y3")),
    "combine": ((1,), (0,), (), ("w",)),
    "parent": ((1,), (0,), (), ("w",)),
    "Counter.__init__": ((1,), (0,), ("r",), ()),
    "Counter.add": ((1,), (1, 2), (), ("w",)),
    "Phoenix.__init__": ((1, 2), (0,), ("r",), ()),
    "Phoenix.die": ((1, 2), (0,), (), ("w",)),
    "Async.work": ((1,), (0, 1, 2, 3), ("begin", "executor"), ("child", "end")),
    "Async.stream": ((1,), (0,), ("y0", "y1", "y2"), ()),
    "Async.plain": ((1,), (0,), (), ("w",)),
    "Threaded.work": ((1,), (0, 1, 2), ("begin",), ("end",)),
    "Threaded.load": ((1,), (0, 1), ("r",), ()),
}
# What only the library sees: the files of a child program.
NATIVE = {"threads": (("child",), ("child",))}
GOT = {
    "plain": ["plain,1,0,r", "plain,1,2,r"],
    "flaky": 3,
    "killed": 2,
    "threads": [0, 1],
    "stream": [f"stream,1,0,y{step}" for step in range(4)],
    "none": [],
    "combine": [11, 13],
    "parent": "plain,1,1,r",
    "die": 2,
    "async": [0, 1, 2, 3],
    "async stream": [0, 1, 2],
    "need": 11,
    "in a loop": True,
    "threaded": [0, 1, 2],
    "load": [0, 1],
}
FAILED = {("flaky", 1): "failed", ("flaky", 2): "failed"}
KILLED = {("killed", 1): "interrupted", ("Phoenix.die", 1): "interrupted"}


@pytest.fixture(scope="module", params=["native", "python"])
def done(
    request: pytest.FixtureRequest,
    ray_cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Told, str]:
    """What the workload's workers told, by each way of capture."""
    folder = tmp_path_factory.mktemp(request.param)
    return ray_cluster.drive(folder, "workload.py", folder, capture=request.param), request.param


def test_every_driver_gets_what_it_gets_without_us(done: tuple[Told, str]) -> None:
    assert done[0].printed == GOT


def test_each_file_belongs_to_the_attempt_that_touched_it(done: tuple[Told, str]) -> None:
    told, capture = done
    expected: dict[tuple[str, int, int], tuple[set[str], set[str]]] = {}
    for name, (attempts, calls, reads, writes) in EXPECTED.items():
        more = NATIVE.get(name, ((), ())) if capture == "native" else ((), ())
        for attempt in attempts:
            for call in calls:
                sides = ({*reads, *more[0]}, {*writes, *more[1]})
                expected[name, attempt, call] = sides
    assert steps_by_attempt(told) == expected


def steps_by_attempt(told: Told) -> dict[tuple[str, int, int], tuple[set[str], set[str]]]:
    """(function, attempt, call) -> steps that read and that wrote, wherever they were recorded.

    The parts of an attempt are one; a path with another's name on it stays visible as what it is.
    """
    found: dict[tuple[str, int], tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    names = {}
    for each in told.fragments:
        for side, files in enumerate((each.read, each.written)):
            steps = {Path(file.path).name for file in files if Path(file.path).name.count(",") == 3}
            if steps:
                names[each.task, each.attempt] = each.name
                found[each.task, each.attempt][side].update(steps)
    steps_of = {}
    for (task, attempt), sides in found.items():
        calls = {int(step.split(",")[2]) for side in sides for step in side}
        assert len(calls) == 1, sides
        [call] = calls
        begin = f"{names[task, attempt]},{attempt},{call},"
        key = (names[task, attempt], attempt, call)
        steps_of[key] = tuple({step.removeprefix(begin) for step in side} for side in sides)
    return steps_of  # type: ignore[return-value]


def test_attempts_end_as_they_ended(done: tuple[Told, str]) -> None:
    told, _ = done
    states: dict[tuple[str, int], set[str]] = defaultdict(set)
    for each in told.fragments:
        if each.name in EXPECTED:
            states[each.name, each.attempt].add(each.state)
    # A forked child has a part of its own, and does not see the end.
    merged = {
        key: next(iter(found - {"interrupted"}), "interrupted") for key, found in states.items()
    }
    unusual = FAILED | KILLED
    assert merged == {
        (name, attempt): unusual.get((name, attempt), "succeeded")
        for name, (attempts, *_) in EXPECTED.items()
        for attempt in attempts
    }


def test_an_actors_calls_bear_its_name_and_its_node(done: tuple[Told, str]) -> None:
    told, capture = done
    assert {process["capture"] for process in told.processes} == {capture}
    assert all(process["missing"] == [] for process in told.processes)
    [node] = {process["node"] for process in told.processes}
    assert {each.where for each in told.fragments} == {node}


def test_a_task_needs_those_whose_results_it_fetched(done: tuple[Told, str]) -> None:
    told, _ = done
    [combine] = told.named("combine")
    first, second = (each.task for each in told.named("Counter.add"))
    assert set(combine.needs) == {second}
    assert first != second
    [awaiting] = told.named("Async.need")
    # And the call that began before it in its actor, whose state it got.
    earlier = {each.task for each in told.fragments if each.name.startswith("Async.")}
    assert set(awaiting.needs) - earlier == {first}
    assert len(set(awaiting.needs) & earlier) == 1
    [parent] = told.named("parent")
    [child] = [each.task for each in told.named("plain") if "plain,1,1,w" in written(each)]
    assert parent.needs == (child,)


def written(fragment: object) -> set[str]:
    return {Path(file.path).name for file in fragment.written}  # type: ignore[attr-defined]


def test_nothing_of_ours_went_wrong(done: tuple[Told, str]) -> None:
    reasons = {reason.code for each in done[0].fragments for reason in each.coverage}
    usual = {"interrupted"} if done[1] == "native" else {"interrupted", "python_only", "unentered"}
    assert reasons <= usual
