"""What something came from, and what came of it: jobs hop by hop, bounded, resumable.

A job is downstream of another exactly when that one is upstream of it: both follow the rule of
`graph.producers`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.producers import Producers
from roar_glaas.graph.uses import AT_ONCE, Use, one_of, uses
from roar_glaas.graph.whole_sessions import WholeSessions
from roar_glaas.storage.tables import edge, job, session

MOST_JOBS = 10_000
_READERS_AT_ONCE = 5_000
# Less than that, so that no job fills a whole part of the answer.
_ARTIFACTS_AT_ONCE = 100


class Step(NamedTuple):
    """A job found on a walk: how many jobs it is away, and through what it was reached.

    `via_job` and `via_artifact` are None for the first jobs of a walk.
    """

    job_id: int
    hop: int
    via_job: int | None
    via_artifact: int | None


def newest_job(connection: sa.Connection) -> int:
    """The id of the job registered last: what a walk that starts now looks no further than."""
    newest = sa.select(sa.func.coalesce(sa.func.max(job.c.id), 0))
    return int(connection.execute(newest).scalar_one())


def upstream(
    connection: sa.Connection, caller: Caller, found: Found, hops: int | None = None
) -> tuple[list[int], bool]:
    """Ids of the jobs an artifact came from that the caller may see, and whether that is all.

    With `hops` those that are so many jobs away at most, and whether that is all of them.
    """
    walk = walk_up(connection, caller, found, newest_job(connection))
    if hops is not None:
        walk = itertools.takewhile(lambda step: step.hop <= hops, walk)
    ids, is_all = first_jobs(walk, MOST_JOBS)
    return sorted(ids), is_all


def first_jobs(walk: Iterator[Step], most: int) -> tuple[list[int], bool]:
    """Ids of the first `most` jobs of a walk, in its order, and whether that is all of them."""
    ids = [step.job_id for step in itertools.islice(walk, most + 1)]
    return ids[:most], len(ids) <= most


def walk_up(
    connection: sa.Connection,
    caller: Caller,
    found: Found,
    as_of: int,
    producers: Producers | None = None,
) -> Iterator[Step]:
    """The jobs an artifact came from, nearest first, each once; a hop costs at most two queries.

    The artifact's own producer is the newest job that wrote it. The order is the same whenever it
    is asked for with the same `as_of`. What `producers` learn on the way, they know afterwards.
    """
    first = connection.execute(
        sa.select(edge.c.job_id)
        .join(job, job.c.id == edge.c.job_id)
        .join(session, session.c.id == job.c.session_id)
        .where(
            edge.c.artifact_id == found.id,
            edge.c.direction == "out",
            edge.c.job_id <= as_of,
            visible(caller),
        )
        .order_by(job.c.started_at_us.desc(), job.c.id.desc())
        .limit(1)
    ).scalar()
    if first is not None:
        yield Step(first, 1, None, None)
        producers = producers or Producers(connection, caller, as_of)
        yield from walk_up_from(connection, producers, [first])


def walk_up_from(
    connection: sa.Connection, producers: Producers, jobs: list[int]
) -> Iterator[Step]:
    """The jobs that these jobs' inputs came from, without these."""
    seen = set(jobs)
    front, hop = list(jobs), 1
    while front:
        hop += 1
        reached: dict[int, tuple[int, int]] = {}
        for reads in uses_met(connection, producers.sessions, front, "in"):
            for (reader, read), maker in sorted(producers.of(reads).items()):
                if maker not in seen:
                    seen.add(maker)
                    reached[maker] = (reader, read)
        front = sorted(reached)
        for one in front:
            yield Step(one, hop, *reached[one])


def walk_down(
    connection: sa.Connection, caller: Caller, found: Found, as_of: int
) -> Iterator[Step]:
    """The jobs that read an artifact or what came of it, nearest first, each once."""
    first = []
    for one in first_readers(connection, caller, [found.id], as_of):
        first.append(one)
        yield Step(one, 1, None, None)
    yield from walk_down_from(connection, caller, first, as_of)


def first_readers(
    connection: sa.Connection, caller: Caller, artifacts: list[int], as_of: int
) -> Iterator[int]:
    """Ids of the jobs that read any of these artifacts themselves, each once."""
    seen: set[int] = set()
    for read in _readers(connection, caller, artifacts, as_of):
        for use in read:
            if use.job_id not in seen:
                seen.add(use.job_id)
                yield use.job_id


def walk_down_from(
    connection: sa.Connection, caller: Caller, jobs: list[int], as_of: int
) -> Iterator[Step]:
    """The jobs that read what these jobs wrote, or what came of that, without these."""
    producers = Producers(connection, caller, as_of)
    seen = set(jobs)
    front, hop = list(jobs), 1
    while front:
        hop += 1
        written = uses_met(connection, producers.sessions, front, "out")
        outputs = {use.artifact_id for made in written for use in made}
        front = []
        for read in _readers(connection, caller, sorted(outputs), as_of):
            made_by = producers.of(read)
            for use in read:
                maker = made_by.get((use.job_id, use.artifact_id))
                if maker in seen and use.job_id not in seen:
                    seen.add(use.job_id)
                    front.append(use.job_id)
                    yield Step(use.job_id, hop, maker, use.artifact_id)


def uses_of(connection: sa.Connection, jobs: list[int], direction: str) -> Iterator[list[Use]]:
    """What jobs read or wrote, some hundred jobs at a time."""
    query = _used_by(connection.dialect.name)
    for start in range(0, len(jobs), AT_ONCE):
        part = {"jobs": jobs[start : start + AT_ONCE], "direction": direction}
        yield [Use(*row) for row in connection.execute(query, part)]


def uses_met(
    connection: sa.Connection, sessions: WholeSessions, jobs: list[int], direction: str
) -> Iterator[list[Use]]:
    """As `uses_of`, of loaded sessions without asking; the others may become worth loading."""
    for start in range(0, len(jobs), AT_ONCE):
        found: list[Use] = []
        unknown = []
        for one in jobs[start : start + AT_ONCE]:
            known = sessions.used_by(one, direction)
            if known is None:
                unknown.append(one)
            else:
                found += known
        for asked in uses_of(connection, unknown, direction):
            sessions.meet(asked)
            found += asked
        yield found


@cache
def _used_by(dialect: str) -> sa.Select[Any]:
    """Built once: building a statement takes longer than this mostly does to run."""
    return (
        sa.select(job.c.id, edge.c.artifact_id, job.c.session_id, job.c.started_at_us)
        .join(edge, edge.c.job_id == job.c.id)
        .where(
            one_of(dialect, job.c.id, "jobs"),
            edge.c.direction == sa.bindparam("direction"),
            edge.c.ordinal == 0,
        )
    )


def _readers(
    connection: sa.Connection, caller: Caller, artifacts: list[int], as_of: int
) -> Iterator[list[Use]]:
    """The jobs that read any of these artifacts, some thousand at a time, the oldest first."""
    last = sa.bindparam("last", type_=sa.BigInteger)
    since = (edge.c.job_id <= as_of, edge.c.job_id >= last)
    found = uses(connection, caller, "in", *since, oldest=_READERS_AT_ONCE).subquery()
    query = sa.select(*found.c).order_by(found.c.id, found.c.artifact_id).limit(_READERS_AT_ONCE)
    for start in range(0, len(artifacts), _ARTIFACTS_AT_ONCE):
        part, first = artifacts[start : start + _ARTIFACTS_AT_ONCE], 0
        while True:
            rows = connection.execute(query, {"artifacts": part, "last": first}).all()
            yield [Use(*row) for row in rows]
            # The last job may go on, with other artifacts: it is looked at again.
            if len(rows) < _READERS_AT_ONCE:
                break
            first = rows[-1].id
