"""The graph of a session, read from the database: all of it, or its newest steps only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from roar_core.lineage.dag import Node, session_graph
from roar_core.lineage.session import (
    artifacts_written,
    attempts_beside,
    job_links,
    newest_steps,
    session_jobs,
    session_links,
)
from roar_core.lineage.tasks import folded

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
