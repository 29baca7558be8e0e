"""Closures for programs: a page of jobs, the artifacts between them, and who used which."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.digests import digest_text, is_composite
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.closure import Step, newest_job, walk_down, walk_up
from roar_glaas.graph.jobs import brief_jobs
from roar_glaas.graph.limits import ENOUGH_S
from roar_glaas.graph.paging import cursor_at, no_cursor, place_of
from roar_glaas.graph.uses import AT_ONCE, one_of
from roar_glaas.storage.tables import artifact, edge

MOST_WALKED = 100_000
MOST_EDGES = 20_000

Walk = Callable[[sa.Connection, Caller, Found, int], Iterator[Step]]


def upstream_page(
    connection: sa.Connection,
    caller: Caller,
    found: Found,
    hops: int | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """The jobs an artifact came from, nearest first: see `_page`."""
    return _page(connection, caller, ("upstream", found, hops), walk_up, limit, cursor)


def downstream_page(
    connection: sa.Connection,
    caller: Caller,
    found: Found,
    hops: int | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """The jobs that read an artifact or what came of it, nearest first: see `_page`."""
    return _page(connection, caller, ("downstream", found, hops), walk_down, limit, cursor)


def _page(
    connection: sa.Connection,
    caller: Caller,
    asked: tuple[str, Found, int | None],
    walk: Walk,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """`{"jobs", "artifacts", "edges", "edgesAreWhole", "truncated", "nextCursor"}`.

    Each job has its `hop`. An edge tells which job read ("in") or wrote ("out") which artifact: by
    their places in this page's lists, from 0. `truncated` tells that there is more; the cursor is
    null with it when more than 100,000 jobs were walked. A later page sees the registry as the
    first did, whatever was registered since.
    """
    name, found, hops = asked
    question = (name, found.id, hops)
    place = place_of(cursor, question, 2)
    as_of, told = place or (newest_job(connection), 0)
    if told > MOST_WALKED:
        raise no_cursor()
    enough_at = time.monotonic() + ENOUGH_S
    steps: list[Step] = []
    is_all = True
    for number, step in enumerate(walk(connection, caller, found, as_of)):
        if hops is not None and step.hop > hops:
            break
        if number < told:
            continue
        if len(steps) == limit or (steps and time.monotonic() > enough_at):
            is_all = False
            break
        steps.append(step)
    reached = told + len(steps)
    goes_on = not is_all and reached < MOST_WALKED
    return {
        **graph_of(connection, steps),
        "truncated": not is_all,
        "nextCursor": cursor_at(question, [as_of, reached]) if goes_on else None,
    }


def graph_of(connection: sa.Connection, steps: list[Step]) -> dict[str, Any]:
    """`{"jobs", "artifacts", "edges", "edgesAreWhole"}` of jobs found on a walk."""
    ids = [step.job_id for step in steps]
    jobs = brief_jobs(connection, ids)
    place = {one: number for number, one in enumerate(ids)}
    rows: list[Any] = []
    for start in range(0, len(ids), AT_ONCE):
        rows += connection.execute(
            sa.select(edge.c.job_id, edge.c.direction, edge.c.artifact_id, edge.c.path)
            .add_columns(edge.c.selected, edge.c.total)
            .where(one_of(connection.dialect.name, edge.c.job_id, "ids"))
            .order_by(edge.c.job_id, edge.c.direction, edge.c.artifact_id, edge.c.ordinal)
            .limit(MOST_EDGES + 1 - len(rows)),
            {"ids": ids[start : start + AT_ONCE]},
        ).all()
        if len(rows) > MOST_EDGES:
            break
    edges = rows[:MOST_EDGES]
    numbers = {one: n for n, one in enumerate(dict.fromkeys(row.artifact_id for row in edges))}
    return {
        "jobs": [{**job, "hop": step.hop} for job, step in zip(jobs, steps, strict=True)],
        "artifacts": brief_artifacts(connection, list(numbers)),
        "edges": [
            {
                "job": place[job_id],
                "direction": direction,
                "artifact": numbers[artifact_id],
                "path": path,
                "selectedCount": selected,
                "total": total,
            }
            for job_id, direction, artifact_id, path, selected, total in edges
        ],
        "edgesAreWhole": len(rows) <= MOST_EDGES,
    }


def brief_artifacts(connection: sa.Connection, ids: list[int]) -> list[dict[str, Any]]:
    """`{"hash", "algorithm", "isComposite"}` of artifacts by their ids, in the order given."""
    found: dict[int, dict[str, Any]] = {}
    query = sa.select(artifact).where(one_of(connection.dialect.name, artifact.c.id, "ids"))
    for start in range(0, len(ids), AT_ONCE):
        for row in connection.execute(query, {"ids": ids[start : start + AT_ONCE]}):
            found[row.id] = {
                "hash": digest_text(row.algorithm, bytes(row.digest)),
                "algorithm": row.algorithm,
                "isComposite": is_composite(row.algorithm),
            }
    return [found[one] for one in ids]
