"""What data made this? The artifacts that a closure begins with, and the datasets in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import COMPOSITE, digest_text, is_composite
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.closure import MOST_JOBS, first_jobs, newest_job, uses_met, walk_up
from roar_glaas.graph.paging import cursor_at, place_of
from roar_glaas.graph.producers import Producers
from roar_glaas.graph.uses import AT_ONCE
from roar_glaas.storage.bulk import rows_with
from roar_glaas.storage.tables import artifact, artifact_fact, component, composite, edge, session

_MOST_DATASETS = 1_000


def sources_of(
    connection: sa.Connection, caller: Caller, found: Found, limit: int, cursor: str | None
) -> dict[str, Any]:
    """`{"sources", "datasets", "jobCount", "truncated", "nextCursor"}` of an artifact's closure.

    Sources are what a job of the closure read and none made, as far as the caller sees; a file
    among them has `memberOf`, the proven datasets that hold it. Datasets are those that the jobs
    read, made upstream or not (the first 1,000). `truncated` tells that the closure has more than
    10,000 jobs. Pages are of `sources`; a later one sees the registry as the first did.
    """
    question = ("sources", found.id)
    place = place_of(cursor, question, 2)
    as_of, last = place or (newest_job(connection), 0)
    producers = Producers(connection, caller, as_of)
    walk = walk_up(connection, caller, found, as_of, producers)
    jobs, is_all = first_jobs(walk, MOST_JOBS)
    leaves, made = leaves_of(connection, producers, jobs)
    wanted = sorted(one for one in leaves if one > last)
    page = wanted[:limit]
    sets = _composites(connection, {*leaves, *made})[:_MOST_DATASETS]
    sources = _described(connection, caller, page, jobs)
    holders = _holders(connection, caller, page)
    for number, told in zip(page, sources, strict=True):
        told["memberOf"] = holders.get(number, [])
    return {
        "sources": sources,
        "datasets": _described(connection, caller, sets, jobs),
        "jobCount": len(jobs),
        "truncated": not is_all,
        "nextCursor": cursor_at(question, [as_of, page[-1]]) if len(wanted) > limit else None,
    }


def leaves_of(
    connection: sa.Connection, producers: Producers, jobs: list[int]
) -> tuple[set[int], set[int]]:
    """Ids of the artifacts that these jobs read: those that no job made, and those that one did."""
    leaves, made = set[int](), set[int]()
    for reads in uses_met(connection, producers.sessions, jobs, "in"):
        makers = producers.of(reads)
        for read in reads:
            is_made = (read.job_id, read.artifact_id) in makers
            (made if is_made else leaves).add(read.artifact_id)
    return leaves, made


def _composites(connection: sa.Connection, ids: Iterable[int]) -> list[int]:
    query = sa.select(artifact.c.id).where(artifact.c.algorithm.startswith(COMPOSITE))
    return sorted(row.id for row in rows_with(connection, query, artifact.c.id, set(ids)))


def _described(
    connection: sa.Connection, caller: Caller, ids: list[int], jobs: list[int]
) -> list[dict[str, Any]]:
    """Artifacts as the jobs read them: how many did, under which path, how much of a dataset."""
    found: dict[int, dict[str, Any]] = {}
    within = set(jobs)
    for row in rows_with(connection, sa.select(artifact), artifact.c.id, ids):
        found[row.id] = {
            "hash": digest_text(row.algorithm, bytes(row.digest)),
            "algorithm": row.algorithm,
            "isComposite": is_composite(row.algorithm),
            "size": None,
            "sourceUrl": None,
            "path": None,
            "readers": 0,
            "selectedCount": None,
            "total": None,
        }
    wanted = set(ids)
    for start in range(0, len(jobs), AT_ONCE):
        rows = connection.execute(
            sa.select(edge.c.artifact_id, edge.c.job_id, edge.c.path, edge.c.size_bytes)
            .add_columns(edge.c.selected, edge.c.total, edge.c.ordinal)
            .where(edge.c.job_id.in_(jobs[start : start + AT_ONCE]), edge.c.direction == "in")
            .order_by(edge.c.job_id, edge.c.artifact_id, edge.c.ordinal)
        )
        for row in rows:
            if row.artifact_id not in wanted or row.job_id not in within:
                continue
            told = found[row.artifact_id]
            told["readers"] += row.ordinal == 0
            told["path"] = told["path"] or row.path
            told["size"] = told["size"] if told["size"] is not None else row.size_bytes
            if row.total is not None and (told["selectedCount"] or -1) < row.selected:
                told |= {"selectedCount": row.selected, "total": row.total}
    _add_facts(connection, caller, found)
    return [found[one] for one in ids]


def _add_facts(connection: sa.Connection, caller: Caller, found: dict[int, dict[str, Any]]) -> None:
    ids = list(found)
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        for table, url in (
            (artifact_fact, artifact_fact.c.source_url),
            (composite, sa.null().label("source_url")),
        ):
            # What was said first stands; nobody needs the thousandth to say so.
            first = (
                sa.select(table.c.artifact_id, table.c.size_bytes, url)
                .join(session, session.c.id == table.c.session_id)
                .where(table.c.artifact_id.in_(part), visible(caller))
                .order_by(table.c.id)
                .limit(20 * AT_ONCE)
            )
            for row in connection.execute(first):
                told = found[row.artifact_id]
                told["size"] = told["size"] if told["size"] is not None else row.size_bytes
                told["sourceUrl"] = told["sourceUrl"] or row.source_url


def _holders(
    connection: sa.Connection, caller: Caller, ids: list[int]
) -> dict[int, list[dict[str, Any]]]:
    """The proven datasets that hold these artifacts as members, the first thousand findings."""
    holder = artifact.alias("holder")
    found: dict[int, list[dict[str, Any]]] = {}
    for start in range(0, len(ids), AT_ONCE):
        rows = connection.execute(
            sa.select(artifact.c.id, holder.c.algorithm, holder.c.digest, component.c.path)
            .join(
                component,
                sa.and_(
                    component.c.digest == artifact.c.digest,
                    component.c.algorithm == artifact.c.algorithm,
                ),
            )
            .join(composite, composite.c.id == component.c.composite_id)
            .join(holder, holder.c.id == composite.c.artifact_id)
            .join(session, session.c.id == composite.c.session_id)
            .where(
                artifact.c.id.in_(ids[start : start + AT_ONCE]),
                composite.c.is_proven,
                visible(caller),
            )
            .distinct()
            .order_by(artifact.c.id, holder.c.digest, component.c.path)
            .limit(_MOST_DATASETS)
        )
        for row in rows:
            told = {"hash": digest_text(row.algorithm, bytes(row.digest)), "path": row.path}
            found.setdefault(row.id, []).append(told)
    return found
