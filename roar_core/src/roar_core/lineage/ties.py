"""Why two things are tied: a shortest way from one to the other through jobs and what passed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from roar_core.lineage.closure import Closure, Passing, upstream

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.target import Target


class Tie(NamedTuple):
    """A way downstream: `jobs` in the order of time, and what each passed on to the next.

    `passed` has one less than there are jobs. `began_with` is the artifact asked about, when it is
    one, which the first job read.
    """

    jobs: tuple[int, ...]
    passed: tuple[Passing, ...]
    began_with: int | None


def tie(db: sqlite3.Connection, first: Target, last: Target) -> Tie | None:
    """How `last` came, among others, from `first`; None when it did not."""
    closure = upstream(db, last.jobs)
    readers = _readers(db, first, closure)
    # An artifact leads on through who read it; its maker may have made other things as well.
    goals = readers.keys() if first.kind == "artifact" else closure.distances.keys() & first.jobs
    if not goals:
        return None
    start = min(goals, key=lambda job: (closure.distances[job], job))
    jobs, passed = _way(closure, start)
    return Tie(jobs, passed, readers.get(start) if first.kind == "artifact" else None)


def _readers(db: sqlite3.Connection, target: Target, closure: Closure) -> dict[int, int]:
    """Jobs of the closure that read an artifact of the target, and which."""
    readers: dict[int, int] = {}
    for artifact in target.artifacts:
        for (job,) in db.execute(
            "SELECT job FROM edge WHERE artifact = ? AND direction = 0", (artifact,)
        ):
            if job in closure.distances:
                readers.setdefault(job, artifact)
    return readers


def _way(closure: Closure, start: int) -> tuple[tuple[int, ...], tuple[Passing, ...]]:
    """From `start` to a job of distance 0, one nearer at a time."""
    onward: dict[int, list[Passing]] = defaultdict(list)
    for passing in closure.passings:
        onward[passing.producer].append(passing)
    jobs, here = [start], start
    passed: list[Passing] = []
    while closure.distances[here]:
        nearer = closure.distances[here] - 1
        near = [p for p in onward[here] if closure.distances[p.consumer] == nearer]
        # Bytes tell more than a result, and that more than who started whom.
        step = min(near, key=lambda p: (p.artifact is None, not p.is_result))
        passed.append(step)
        here = step.consumer
        jobs.append(here)
    return tuple(jobs), tuple(passed)
