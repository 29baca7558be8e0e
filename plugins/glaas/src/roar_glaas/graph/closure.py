"""What something came from: jobs upstream, hop by hop, bounded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.door import digest_text
from roar_glaas.graph.artifacts import Found
from roar_glaas.log.withheld import reasons, told
from roar_glaas.storage.tables import artifact, edge, job, session

MOST_JOBS = 10_000
_AT_ONCE = 500


def upstream(connection: sa.Connection, caller: Caller, found: Found) -> tuple[list[int], bool]:
    """Ids of the jobs an artifact came from that the caller may see, and whether that is all.

    Of several jobs that wrote the same bytes the producer is the one of the reader's session, else
    the newest that began before the reader; for the artifact itself, the newest.
    """
    first = connection.execute(
        sa.select(edge.c.job_id)
        .join(job, job.c.id == edge.c.job_id)
        .join(session, session.c.id == job.c.session_id)
        .where(edge.c.artifact_id == found.id, edge.c.direction == "out", visible(caller))
        .order_by(job.c.started_at_us.desc(), job.c.id.desc())
        .limit(1)
    ).scalar()
    seen: set[int] = set() if first is None else {first}
    front = sorted(seen)
    while front and len(seen) < MOST_JOBS:
        front = sorted(_producers(connection, caller, front) - seen)
        seen |= set(front)
    return sorted(seen)[:MOST_JOBS], len(seen) < MOST_JOBS or not front


def _producers(connection: sa.Connection, caller: Caller, readers: list[int]) -> set[int]:
    """For each artifact that these jobs read: the job that made it."""
    reads, writes = edge.alias("reads"), edge.alias("writes")
    reader, writer = job.alias("reader"), job.alias("writer")
    best: dict[tuple[int, int], tuple[tuple[bool, int, int], int]] = {}
    for start in range(0, len(readers), _AT_ONCE):
        rows = connection.execute(
            sa.select(
                reader.c.id.label("reader_id"),
                reads.c.artifact_id,
                writer.c.id,
                writer.c.started_at_us,
                (writer.c.session_id == reader.c.session_id).label("is_of_session"),
            )
            .select_from(reader)
            .join(reads, sa.and_(reads.c.job_id == reader.c.id, reads.c.direction == "in"))
            .join(
                writes,
                sa.and_(writes.c.artifact_id == reads.c.artifact_id, writes.c.direction == "out"),
            )
            .join(writer, writer.c.id == writes.c.job_id)
            .join(session, session.c.id == writer.c.session_id)
            .where(
                reader.c.id.in_(readers[start : start + _AT_ONCE]),
                writer.c.id != reader.c.id,
                writer.c.started_at_us <= reader.c.started_at_us,
                visible(caller),
            )
        )
        for row in rows:
            rank = (bool(row.is_of_session), row.started_at_us, row.id)
            place = (row.reader_id, row.artifact_id)
            if place not in best or best[place][0] < rank:
                best[place] = (rank, row.id)
    return {found for _, found in best.values()}


def describe_jobs(connection: sa.Connection, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Jobs with their inputs and outputs, in the order they were started."""
    wanted = sorted(ids)
    found: list[dict[str, Any]] = []
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        edges = _edges(connection, part)
        rows = connection.execute(
            sa.select(
                job, session.c.hash.label("session_hash"), session.c.git_repo.label("git_repo")
            )
            .join(session, session.c.id == job.c.session_id)
            .where(job.c.id.in_(part))
        ).all()
        why = reasons(connection, [row.leaf_index for row in rows if row.command is None])
        found += [
            {
                "id": row.id,
                "jobUid": bytes(row.uid).hex(),
                "command": told(row.command, why.get(row.leaf_index)),
                "withheld": why.get(row.leaf_index),
                "jobType": row.kind,
                "stepNumber": row.step,
                "startedAt": row.started_at_us / 1e6,
                "durationSeconds": None if row.duration_us is None else row.duration_us / 1e6,
                "exitCode": row.exit_code,
                "gitRepo": row.git_repo or "",
                "gitCommit": row.git_commit,
                "gitBranch": row.git_branch or "",
                "metadata": row.metadata or "{}",
                "sessionHash": bytes(row.session_hash).hex(),
                "inputs": edges.get((row.id, "in"), []),
                "outputs": edges.get((row.id, "out"), []),
                "logIndex": row.leaf_index,
            }
            for row in rows
        ]
    return sorted(found, key=lambda one: (one["startedAt"], one["stepNumber"], one["id"]))


def _edges(
    connection: sa.Connection, ids: list[int]
) -> dict[tuple[int, str], list[dict[str, Any]]]:
    rows = connection.execute(
        sa.select(edge, artifact.c.algorithm, artifact.c.digest)
        .join(artifact, artifact.c.id == edge.c.artifact_id)
        .where(edge.c.job_id.in_(ids))
        .order_by(edge.c.path, edge.c.artifact_id)
    )
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows:
        said = {
            "hash": digest_text(row.algorithm, bytes(row.digest)),
            "path": row.path,
            "size": row.size_bytes,
            "byteRanges": json.loads(row.byte_ranges) if row.byte_ranges else None,
            "selectedCount": row.selected,
            "total": row.total,
        }
        found.setdefault((row.job_id, row.direction), []).append(said)
    return found
