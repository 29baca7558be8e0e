"""What is compared with what: all that a reference came from, less what both came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from roar_core.lineage.closure import Passing, upstream
from roar_core.lineage.read import whole_graph
from roar_core.lineage.target import Target, find_target

if TYPE_CHECKING:
    import sqlite3

    from roar_core.model.job import Job
    from roar_core.project import Project
    from roar_core.store.writer import Store


class Side(NamedTuple):
    """One of the two. `roots` are the jobs that were asked about, `jobs` all of their closure that
    the other has not and the roots, by id; `shared` counts the others. `levels` says how far a job
    is from where its data began: 0 read from no recorded job.
    """

    target: Target
    roots: tuple[int, ...]
    jobs: dict[int, Job]
    levels: dict[int, int]
    shared: int


def read_sides(store: Store, refs: tuple[str, str], project: Project) -> tuple[Side, Side]:
    """Both sides. Raises NotFoundError for a reference that names nothing."""
    with store.snapshot() as db:
        targets = [find_target(store, ref, project) for ref in refs]
        roots = [_roots(db, target) for target in targets]
        closures = [upstream(db, jobs) for jobs in roots]
        shared = closures[0].distances.keys() & closures[1].distances.keys()
        # Of two single jobs, and of steps that only one session has, more is said than a number.
        is_asked = all(len(jobs) == 1 for jobs in roots)
        told = set(roots[0]) | set(roots[1]) if is_asked else set(roots[0]) ^ set(roots[1])
        sides = [
            Side(
                target,
                tuple(jobs),
                store.jobs_by_id((closure.distances.keys() - shared) | (told & set(jobs))),
                _levels(closure.distances, closure.passings),
                len(shared - told),
            )
            for target, jobs, closure in zip(targets, roots, closures, strict=True)
        ]
    return sides[0], sides[1]


def _roots(db: sqlite3.Connection, target: Target) -> list[int]:
    """Of a session the attempts that stand for its steps."""
    if target.kind != "session":
        return list(target.jobs)
    session = int(target.name.partition(":")[2])
    return [node.shown.id for node in whole_graph(db, session)]


def _levels(jobs: Iterable[int], passings: Iterable[Passing]) -> dict[int, int]:
    """The longest way from a job that read from none; jobs of a cycle stand where it is entered."""
    makers: dict[int, set[int]] = defaultdict(set)
    readers: dict[int, set[int]] = defaultdict(set)
    for consumer, producer, *_ in passings:
        if consumer != producer:
            makers[consumer].add(producer)
            readers[producer].add(consumer)
    left = {job: len(makers[job]) for job in jobs}
    levels = dict.fromkeys(left, 0)
    ready = [job for job, number in left.items() if not number]
    waiting = dict.fromkeys(job for job, number in left.items() if number)
    while ready or waiting:
        if not ready:
            ready = [next(iter(waiting))]
        job = ready.pop()
        waiting.pop(job, None)
        left[job] = 0
        for reader in readers[job]:
            if left[reader]:
                levels[reader] = max(levels[reader], levels[job] + 1)
                left[reader] -= 1
                if not left[reader]:
                    waiting.pop(reader, None)
                    ready.append(reader)
    return levels
