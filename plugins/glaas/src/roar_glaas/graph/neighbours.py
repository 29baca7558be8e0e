"""One hop from an artifact: the jobs that wrote it, and the jobs that read it, page by page."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import digest_text
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.descriptions import heads_of
from roar_glaas.graph.jobs import brief_jobs
from roar_glaas.graph.membership import member_ids
from roar_glaas.graph.paging import cursor_at, place_of
from roar_glaas.graph.uses import uses
from roar_glaas.storage.tables import artifact, edge, job, session

_MOST_USES = 20
_MOST_JOBS = 100


def producers(
    connection: sa.Connection, caller: Caller, found: Found, limit: int, cursor: str | None
) -> dict[str, Any]:
    """`{"jobs", "nextCursor"}`: the jobs that wrote an artifact, the last registered first.

    Each has `uses`, its paths for the artifact: see `consumers`.
    """
    question = ("producers", found.id)
    place = place_of(cursor, question, 1)
    ids = jobs_using(connection, caller, [found.id], "out", limit + 1, place[0] if place else None)
    return {
        "jobs": with_uses(connection, ids[:limit], [found.id], "out"),
        "nextCursor": cursor_at(question, [ids[limit - 1]]) if len(ids) > limit else None,
    }


def consumers(
    connection: sa.Connection,
    caller: Caller,
    found: Found,
    limit: int,
    cursor: str | None,
    *,
    of_members: bool = False,
) -> dict[str, Any]:
    """`{"jobs", "nextCursor"}`: the jobs that read an artifact, the last registered first.

    `of_members` True: the jobs that read a member of the dataset by the member's own hash instead.
    Each job has `uses`: `[{"hash", "path", "selectedCount", "total"}]`, the counts of a part of a
    dataset, None for the whole of something.
    """
    question = ("consumers", found.id, of_members)
    place = place_of(cursor, question, 1)
    artifacts = member_ids(connection, caller, found) if of_members else [found.id]
    ids = jobs_using(connection, caller, artifacts, "in", limit + 1, place[0] if place else None)
    return {
        "jobs": with_uses(connection, ids[:limit], artifacts, "in"),
        "nextCursor": cursor_at(question, [ids[limit - 1]]) if len(ids) > limit else None,
    }


def jobs_using(
    connection: sa.Connection,
    caller: Caller,
    artifacts: list[int],
    direction: str,
    limit: int,
    before: int | None,
) -> list[int]:
    """Ids of the jobs at any of these artifacts, each once, from the largest below `before`."""
    if not artifacts:
        return []
    earlier = () if before is None else (edge.c.job_id < before,)
    if len(artifacts) == 1:  # equality, so that the index gives the order
        query = (
            sa.select(edge.c.job_id)
            .join(job, job.c.id == edge.c.job_id)
            .join(session, session.c.id == job.c.session_id)
            .where(edge.c.artifact_id == artifacts[0], *earlier, visible(caller))
            .where(edge.c.direction == direction, edge.c.ordinal == 0)
            .order_by(edge.c.job_id.desc())
            .limit(limit)
        )
        return list(connection.execute(query).scalars())
    found = uses(connection, caller, direction, *earlier, newest=limit).subquery()
    several = sa.select(found.c.id).distinct().order_by(found.c.id.desc()).limit(limit)
    return list(connection.execute(several, {"artifacts": artifacts}).scalars())


def with_uses(
    connection: sa.Connection, ids: list[int], artifacts: list[int], direction: str
) -> list[dict[str, Any]]:
    """Jobs in a few words, each with how it used these artifacts: `uses`, 20 of them."""
    uses: dict[int, list[dict[str, Any]]] = {one: [] for one in ids}
    rows = connection.execute(
        sa.select(edge, artifact.c.algorithm, artifact.c.digest)
        .join(artifact, artifact.c.id == edge.c.artifact_id)
        .where(
            edge.c.job_id.in_(ids),
            edge.c.direction == direction,
            edge.c.artifact_id.in_(artifacts),
            edge.c.ordinal < _MOST_USES,
        )
        .order_by(edge.c.job_id, edge.c.artifact_id, edge.c.ordinal)
    )
    for row in rows:
        if len(uses[row.job_id]) < _MOST_USES:
            uses[row.job_id].append(
                {
                    "hash": digest_text(row.algorithm, bytes(row.digest)),
                    "path": row.path,
                    "selectedCount": row.selected,
                    "total": row.total,
                }
            )
    jobs = brief_jobs(connection, ids)
    return [{**brief, "uses": uses[one]} for one, brief in zip(ids, jobs, strict=True)]


def jobs_at(
    connection: sa.Connection, caller: Caller, found: Found, direction: str
) -> list[dict[str, Any]]:
    """The jobs that wrote ("out") or read ("in") an artifact, as clients read them (section 6).

    The newest first, one for each path: a hundred.
    """
    rows = connection.execute(
        sa.select(job, session.c.hash.label("session_hash"), edge.c.path)
        .join(edge, edge.c.job_id == job.c.id)
        .join(session, session.c.id == job.c.session_id)
        .where(edge.c.artifact_id == found.id, edge.c.direction == direction, visible(caller))
        .order_by(job.c.id.desc())
        .limit(_MOST_JOBS)
    ).all()
    heads = heads_of(connection, rows)
    return [{**head, "path": row.path} for row, head in zip(rows, heads, strict=True)]
