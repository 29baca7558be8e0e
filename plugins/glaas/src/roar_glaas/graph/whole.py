"""Lineage told whole: jobs with all that they read and wrote, and what is known of those artifacts.

One answer holds what a client needs to go on by itself, where the routes for one thing each would
take a request for every job and every artifact.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.errors import BadRequest
from roar_glaas.graph.artifact_details import tell_artifacts
from roar_glaas.graph.closure import (
    first_readers,
    newest_job,
    uses_of,
    walk_down_from,
    walk_up_from,
)
from roar_glaas.graph.descriptions import MOST_EDGES, describe_jobs
from roar_glaas.graph.limits import ENOUGH_S
from roar_glaas.graph.naming import Named, named_by
from roar_glaas.graph.neighbours import jobs_using
from roar_glaas.graph.paging import cursor_at, no_cursor, place_of
from roar_glaas.graph.producers import Producers
from roar_glaas.graph.subgraph import MOST_WALKED
from roar_glaas.storage.tables import edge, job, owner, session

MOST_REFERENCES = 100
_MOST_NEAR = 100
_MOST_OF_SESSIONS = 10_000


def whole_page(
    connection: sa.Connection,
    caller: Caller,
    references: Sequence[str],
    direction: str,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """`{"references", "jobs", "artifacts", "sessions", "truncated", "nextCursor"}`.

    `direction` is "upstream", "downstream", "near" (who wrote or read an artifact; a job, and who
    made its inputs) or "builds" (of sessions). What was asked for comes first, then the nearest.
    `references` tells what each may mean; where that is more than one thing there are no jobs.
    Raises BadRequest for more than a hundred references.
    """
    if not 1 <= len(references) <= MOST_REFERENCES:
        raise BadRequest(f"of must name 1 to {MOST_REFERENCES} things, separated by commas")
    named = {text: named_by(connection, caller, text) for text in dict.fromkeys(references)}
    is_clear = all(len(found) <= 1 for found in named.values())
    starts = [found[0] for found in named.values() if found] if is_clear else []
    question = ("whole", direction, *sorted((one.kind, one.id) for one in starts))
    as_of, told = place_of(cursor, question, 2) or (newest_job(connection), 0)
    if told > MOST_WALKED:
        raise no_cursor()
    walk = itertools.islice(_walk(connection, caller, starts, direction, as_of), told, None)
    ids, is_all = _taken(walk, limit)
    goes_on = not is_all and told + len(ids) < MOST_WALKED
    asked = {one.id for one in starts if one.kind == "artifact"} if told == 0 else set()
    return {
        "references": [
            {
                "reference": text,
                "named": [
                    {"kind": one.kind, "name": one.name, "algorithm": one.algorithm}
                    for one in found
                ],
            }
            for text, found in named.items()
        ],
        "jobs": describe_jobs(connection, ids),
        "artifacts": tell_artifacts(connection, caller, _used_by(connection, ids) | asked, asked),
        "sessions": _sessions(connection, caller, ids, starts),
        "truncated": not is_all,
        "nextCursor": cursor_at(question, [as_of, told + len(ids)]) if goes_on else None,
    }


def _taken(walk: Iterator[int], limit: int) -> tuple[list[int], bool]:
    enough_at = time.monotonic() + ENOUGH_S
    ids: list[int] = []
    for one in walk:
        if len(ids) == limit or (ids and time.monotonic() > enough_at):
            return ids, False
        ids.append(one)
    return ids, True


def _walk(
    connection: sa.Connection, caller: Caller, starts: list[Named], direction: str, as_of: int
) -> Iterator[int]:
    """Ids of jobs, each once, those that were asked for themselves first."""
    artifacts = [one.id for one in starts if one.kind == "artifact"]
    own = [one.id for one in starts if one.kind == "job"]
    within = [one.id for one in starts if one.kind == "session"]
    own += _of_sessions(connection, within, as_of, builds=direction == "builds")
    if direction == "builds":
        found: list[int] = own
    elif direction == "downstream":
        found = own + list(first_readers(connection, caller, artifacts, as_of))
    else:
        found = own + [
            maker
            for one in artifacts
            for maker in jobs_using(connection, caller, [one], "out", _MOST_NEAR, as_of + 1)
        ]
    producers = Producers(connection, caller, as_of)
    if direction == "near":
        for one in artifacts:
            found += jobs_using(connection, caller, [one], "in", _MOST_NEAR, as_of + 1)
        for reads in uses_of(connection, own, "in"):
            found += producers.of(reads).values()
    found = list(dict.fromkeys(found))
    yield from found
    if direction == "upstream":
        yield from (s.job_id for s in walk_up_from(connection, producers, found))
    elif direction == "downstream":
        yield from (s.job_id for s in walk_down_from(connection, caller, found, as_of))


def _of_sessions(
    connection: sa.Connection, sessions: list[int], as_of: int, *, builds: bool
) -> list[int]:
    """The jobs of sessions that the caller may see, or their builds, as they were registered."""
    if not sessions:
        return []
    query = sa.select(job.c.id).where(job.c.session_id.in_(sessions), job.c.id <= as_of)
    if builds:
        query = query.where(job.c.kind == "build")
    return list(connection.execute(query.order_by(job.c.id).limit(_MOST_OF_SESSIONS)).scalars())


def _used_by(connection: sa.Connection, jobs: list[int]) -> set[int]:
    used = sa.select(edge.c.artifact_id).where(edge.c.job_id.in_(jobs), edge.c.ordinal == 0)
    return set(connection.execute(used.distinct().limit(MOST_EDGES)).scalars())


def _sessions(
    connection: sa.Connection, caller: Caller, jobs: list[int], starts: list[Named]
) -> list[dict[str, Any]]:
    """The sessions of these jobs and those asked for: whose they are, and when they came."""
    asked = [one.id for one in starts if one.kind == "session"]
    of_jobs = sa.select(job.c.session_id).where(job.c.id.in_(jobs))
    rows = connection.execute(
        sa.select(session, owner.c.name.label("owner"))
        .join(owner, owner.c.id == session.c.owner_id)
        .where(sa.or_(session.c.id.in_(of_jobs), session.c.id.in_(asked)), visible(caller))
        .order_by(session.c.id)
    )
    return [
        {
            "hash": bytes(row.hash).hex(),
            "owner": row.owner,
            "visibility": row.visibility,
            "gitRepo": row.git_repo or "",
            "gitCommit": row.git_commit,
            "gitBranch": row.git_branch or "",
            "registeredAt": row.registered_at_us / 1e6,
            "logIndex": row.leaf_index,
        }
        for row in rows
    ]
