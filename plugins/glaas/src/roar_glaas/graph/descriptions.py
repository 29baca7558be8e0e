"""Jobs told whole: all that was registered of each, with what it read and wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from roar_glaas.digests import digest_text
from roar_glaas.graph.uses import AT_ONCE
from roar_glaas.log.withheld import reasons, told
from roar_glaas.storage.tables import artifact, artifact_fact, composite, edge, job, session

MOST_EDGES = 100_000


def describe_jobs(connection: sa.Connection, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Jobs with their inputs and outputs, in the order they were started.

    Of all of them together 100,000 inputs and outputs are told; `edgesAreWhole` is false for a job
    of which some are left out.
    """
    wanted, parent = sorted(ids), job.alias("parent")
    left = MOST_EDGES
    found: list[dict[str, Any]] = []
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        edges, cut = _edges(connection, part, left)
        left -= sum(map(len, edges.values()))
        rows = connection.execute(
            sa.select(
                job,
                session.c.hash.label("session_hash"),
                session.c.git_repo.label("git_repo"),
                parent.c.uid.label("parent_uid"),
            )
            .join(session, session.c.id == job.c.session_id)
            .outerjoin(parent, parent.c.id == job.c.parent_id)
            .where(job.c.id.in_(part))
        ).all()
        found += [
            {
                **head,
                "id": row.id,
                "parentJobUid": row.parent_uid and bytes(row.parent_uid).hex(),
                "startedAt": row.started_at_us / 1e6,
                "durationSeconds": None if row.duration_us is None else row.duration_us / 1e6,
                "exitCode": row.exit_code,
                "gitRepo": row.git_repo or "",
                "gitBranch": row.git_branch or "",
                "metadata": row.metadata or "{}",
                "inputs": edges.get((row.id, "in"), []),
                "outputs": edges.get((row.id, "out"), []),
                "edgesAreWhole": cut is None or row.id < cut,
                "logIndex": row.leaf_index,
            }
            for row, head in zip(rows, heads_of(connection, rows), strict=True)
        ]
    return sorted(found, key=lambda one: (one["startedAt"], one["stepNumber"], one["id"]))


def heads_of(connection: sa.Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """What every answer tells of jobs; `rows` are of `job`, with `session_hash`."""
    why = reasons(connection, [row.leaf_index for row in rows if row.command is None])
    return [
        {
            "jobUid": bytes(row.uid).hex(),
            "jobHash": row.job_hash and bytes(row.job_hash).hex(),
            "command": told(row.command, why.get(row.leaf_index)),
            "withheld": why.get(row.leaf_index),
            "jobType": row.kind,
            "stepNumber": row.step,
            "gitCommit": row.git_commit,
            "sessionHash": bytes(row.session_hash).hex(),
        }
        for row in rows
    ]


def _edges(
    connection: sa.Connection, ids: list[int], most: int
) -> tuple[dict[tuple[int, str], list[dict[str, Any]]], int | None]:
    """What these jobs read and wrote, and the first job of which not all is told."""
    # The stock client tells sizes with artifacts, not with what jobs read and wrote.
    sizes = [
        sa.select(said.c.size_bytes)
        .where(said.c.artifact_id == edge.c.artifact_id, said.c.session_id == job.c.session_id)
        .order_by(said.c.id)
        .limit(1)
        .scalar_subquery()
        for said in (artifact_fact, composite)
    ]
    rows = connection.execute(
        sa.select(
            edge,
            artifact.c.algorithm,
            artifact.c.digest,
            sa.func.coalesce(edge.c.size_bytes, *sizes).label("size"),
        )
        .join(artifact, artifact.c.id == edge.c.artifact_id)
        .join(job, job.c.id == edge.c.job_id)
        .where(edge.c.job_id.in_(ids))
        .order_by(edge.c.job_id, edge.c.direction, edge.c.artifact_id, edge.c.ordinal)
        .limit(most + 1)
    ).all()
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows[:most]:
        said = {
            "hash": digest_text(row.algorithm, bytes(row.digest)),
            "algorithm": row.algorithm,
            "path": row.path,
            "size": row.size,
            "byteRanges": json.loads(row.byte_ranges) if row.byte_ranges else None,
            "selectedCount": row.selected,
            "total": row.total,
        }
        found.setdefault((row.job_id, row.direction), []).append(said)
    for edges in found.values():
        edges.sort(key=lambda one: one["path"] or "")
    return found, rows[most].job_id if len(rows) > most else None
