"""The graph of a session, read from the database: all of it, or its newest steps only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from roar_core.lineage.closure import upstream
from roar_core.lineage.dag import Node, Source, session_graph
from roar_core.lineage.session import (
    artifacts_written,
    attempts_beside,
    job_links,
    jobs_by_id,
    newest_steps,
    session_jobs,
    session_links,
)
from roar_core.lineage.tasks import drivers_of, folded, tasks_of

if TYPE_CHECKING:
    import sqlite3


def whole_graph(db: sqlite3.Connection, session: int, *, expanded: bool = False) -> list[Node]:
    """Every step of a session; expanded, every attempt at every step."""
    return session_graph(
        session_jobs(db, session, with_undone=True),
        folded(db, session_links(db, session)),
        partial(artifacts_written, db),
        expanded=expanded,
    )


def newest_graph(
    db: sqlite3.Connection, session: int, last: int, *, expanded: bool = False
) -> list[Node]:
    """The `last` steps and builds of a session: costs nothing for the steps before them."""
    jobs = newest_steps(db, session, last)
    window = {job.place.step for job in jobs if job.place}
    links = [link for job in jobs for link in job_links(db, job.id)]
    known = {job.id for job in jobs}
    for producer in {producer for _, producer, _ in links}:
        if producer not in known:
            # Whether the step was run again since decides what its bytes are called.
            beside = attempts_beside(db, producer, session)
            jobs += [job for job in beside if job.id not in known]
            known |= {job.id for job in beside}
    graph = session_graph(jobs, links, partial(artifacts_written, db), expanded=expanded)
    return [node for node in graph if node.shown.place and node.shown.place.step in window]


def graph_before(
    db: sqlite3.Connection, nodes: Iterable[Node], limit: int | None
) -> tuple[list[Node], int]:
    """The jobs of other sessions that these nodes came from, in the order in which they started.

    Of more than `limit` the nearest are given, and the number of the others. A source of such a
    node has no place: it is called by its uid.
    """
    starts = [node.shown.id for node in nodes]
    sessions = {node.shown.session for node in nodes}
    closure = upstream(db, (*starts, *tasks_of(db, starts)))
    driver_of = drivers_of(db, closure.distances)
    near = dict.fromkeys(driver_of.get(job, job) for job in closure.distances)
    others = {job: row for job, row in jobs_by_id(db, near).items() if row.session not in sessions}
    shown = list(others.values())[:limit]
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    read = [(one.consumer, one.producer, one.artifact) for one in closure.passings if one.artifact]
    for consumer, producer, _ in folded(db, read):
        if consumer != producer:
            counts[consumer][producer] += 1
    ordered = sorted(shown, key=lambda row: (row.started_at_ns, row.id))
    found = [
        Node(row, row, 1, tuple(Source(job, None, n, False) for job, n in counts[row.id].items()))
        for row in ordered
    ]
    return found, len(others) - len(shown)
