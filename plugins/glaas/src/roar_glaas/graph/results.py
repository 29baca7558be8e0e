"""What was trained on this? The jobs that read an artifact, and what came of it in the end."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import digest_text, is_composite
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.closure import newest_job, walk_down_from
from roar_glaas.graph.jobs import brief_jobs
from roar_glaas.graph.limits import ENOUGH_S
from roar_glaas.graph.membership import member_ids
from roar_glaas.graph.neighbours import jobs_using, with_uses
from roar_glaas.graph.paging import cursor_at, place_of
from roar_glaas.graph.uses import AT_ONCE
from roar_glaas.storage.tables import artifact, edge, job, session

MOST_DOWNSTREAM = 5_000
MOST_RESULTS = 10_000


def results_of(
    connection: sa.Connection, caller: Caller, found: Found, limit: int, cursor: str | None
) -> dict[str, Any]:
    """`{"readers", "downstream", "results", "truncated", "nextCursor"}`.

    A page has some of the jobs that read the artifact, the last registered first, with what they
    used of it (`uses`): the whole, a part of a dataset, and then, for a dataset, jobs that read its
    members by their own hashes. `downstream` are the jobs behind these, and `results` what any of
    them wrote and nobody read. `truncated` tells that a page's downstream was cut at 5,000 jobs or
    two seconds. What two pages' readers both led to is on both.
    """
    question = ("results", found.id)
    as_of, phase, last = place_of(cursor, question, 3) or (newest_job(connection), 0, 0)
    artifacts = [found.id] if phase == 0 else member_ids(connection, caller, found)
    before = min(last or as_of + 1, as_of + 1)
    ids = jobs_using(connection, caller, artifacts, "in", limit + 1, before)
    readers, place = ids[:limit], None
    if len(ids) > limit:
        place = [as_of, phase, readers[-1]]
    elif phase == 0 and found.is_composite:
        place = [as_of, 1, 0]
        if not readers:
            return results_of(connection, caller, found, limit, cursor_at(question, place))
    behind: list[int] = []
    enough_at, truncated = time.monotonic() + ENOUGH_S, False
    for step in walk_down_from(connection, caller, readers, as_of):
        if len(behind) == MOST_DOWNSTREAM or time.monotonic() > enough_at:
            truncated = True
            break
        behind.append(step.job_id)
    results = _unread(connection, caller, [*readers, *behind])
    return {
        "readers": with_uses(connection, readers, artifacts, "in"),
        "downstream": brief_jobs(connection, behind),
        "results": results[:MOST_RESULTS],
        "truncated": truncated or len(results) > MOST_RESULTS,
        "nextCursor": cursor_at(question, place) if place else None,
    }


def _unread(connection: sa.Connection, caller: Caller, jobs: list[int]) -> list[dict[str, Any]]:
    """What these jobs wrote and no other job read that the caller may see."""
    reads, reader, within = edge.alias("reads"), job.alias("reader"), session.alias("within")
    is_read = (
        sa.exists()
        .where(reads.c.artifact_id == edge.c.artifact_id, reads.c.direction == "in")
        .where(reads.c.job_id != edge.c.job_id, reader.c.id == reads.c.job_id)
        .where(within.c.id == reader.c.session_id, visible(caller, within))
    )
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(jobs), AT_ONCE):
        rows = connection.execute(
            sa.select(edge.c.artifact_id, edge.c.path, edge.c.size_bytes, job.c.uid)
            .add_columns(artifact.c.algorithm, artifact.c.digest, session.c.hash)
            .select_from(edge)
            .join(job, job.c.id == edge.c.job_id)
            .join(session, session.c.id == job.c.session_id)
            .join(artifact, artifact.c.id == edge.c.artifact_id)
            .where(
                edge.c.job_id.in_(jobs[start : start + AT_ONCE]),
                edge.c.direction == "out",
                edge.c.ordinal == 0,
                ~is_read,
            )
            .limit(MOST_RESULTS + 1 - len(found))
        )
        for row in rows:
            told = {
                "hash": digest_text(row.algorithm, bytes(row.digest)),
                "isComposite": is_composite(row.algorithm),
                "path": row.path,
                "size": row.size_bytes,
                "jobUid": bytes(row.uid).hex(),
                "sessionHash": bytes(row.hash).hex(),
            }
            found.setdefault(row.artifact_id, told)
        if len(found) > MOST_RESULTS:
            break
    return list(found.values())
