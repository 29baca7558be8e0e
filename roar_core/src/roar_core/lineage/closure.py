"""All that some jobs came from, or all that came of them: across sessions, without a limit."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from roar_core.store.walks import DOWNSTREAM, LINKS, UPSTREAM

if TYPE_CHECKING:
    import sqlite3


class Passing(NamedTuple):
    """What one job read of another: the artifact's id, None when it merely started the other.

    `is_result`: it got the other's result, without a file between them.
    """

    consumer: int
    producer: int
    artifact: int | None
    is_result: bool = False


class Closure(NamedTuple):
    """Jobs by id with their distance from where the walk began, nearest first, and what ties them.

    The distance counts jobs; those the walk began with have 0.
    """

    distances: dict[int, int]
    passings: tuple[Passing, ...]


def upstream(db: sqlite3.Connection, jobs: Iterable[int], depth: int | None = None) -> Closure:
    """The jobs that `jobs` came from, themselves included; `depth` cuts off what is farther."""
    return _closure(db, UPSTREAM, jobs, depth, towards_producers=True)


def downstream(db: sqlite3.Connection, jobs: Iterable[int], depth: int | None = None) -> Closure:
    """The jobs that used what `jobs` made, directly or not, themselves included."""
    return _closure(db, DOWNSTREAM, jobs, depth, towards_producers=False)


def _closure(
    db: sqlite3.Connection,
    walk: str,
    jobs: Iterable[int],
    depth: int | None,
    *,
    towards_producers: bool,
) -> Closure:
    starts = list(dict.fromkeys(jobs))
    query = walk.format(starts="SELECT value FROM json_each(?)") + LINKS
    passings = list(map(Passing._make, db.execute(query, (json.dumps(starts),))))
    beside: dict[int, list[int]] = defaultdict(list)
    for consumer, producer, *_ in passings:
        here, there = (consumer, producer) if towards_producers else (producer, consumer)
        beside[here].append(there)
    distances = dict.fromkeys(starts, 0)
    frontier, distance = starts, 0
    while frontier and distance != depth:
        distance += 1
        reached = (there for here in frontier for there in beside[here])
        frontier = [job for job in dict.fromkeys(reached) if job not in distances]
        distances |= dict.fromkeys(frontier, distance)
    if depth is not None:
        passings = [p for p in passings if p.consumer in distances and p.producer in distances]
    return Closure(distances, tuple(passings))
