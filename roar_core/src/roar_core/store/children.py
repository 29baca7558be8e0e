"""Rows of child jobs: many new ones at once, and one of which more is known."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from roar_core.identity import job_hash
from roar_core.model.job import Job
from roar_core.store.edges import JobEdges, add_edges, insert_edges, resolve_late, resolve_new
from roar_core.store.inserting import insert_rows
from roar_core.store.rows import to_sql, unhex
from roar_core.store.ties import tie_files, tie_inputs
from roar_core.store.writer import job_columns, outcome_columns, update_job


def insert_children(db: sqlite3.Connection, driver: int, jobs: Sequence[Job]) -> range:
    """Insert jobs below a driver, with their edges and producers; return their ids, in order.

    Must run in a transaction that writes, so that the ids after the last are nobody else's.
    """
    session, undone_at_ns, first = db.execute(
        "SELECT session, undone_at_ns, (SELECT max(id) + 1 FROM job) FROM job WHERE id = ?",
        (driver,),
    ).fetchone()
    ids = range(first, first + len(jobs))
    known: dict[Any, Any] = {}
    edges = [JobEdges.of(job_id, job) for job_id, job in zip(ids, jobs, strict=True)]
    rows = [
        {
            "id": told.job,
            **job_columns(db, job, known),
            "session": session,
            "undone_at_ns": undone_at_ns,
            "hash": unhex(job_hash(job)),
            "input_count": told.input_count,
            "output_count": told.output_count,
        }
        for told, job in zip(edges, jobs, strict=True)
    ]
    insert_rows(db, f"job ({', '.join(rows[0])})", [tuple(row.values()) for row in rows])
    add_edges(db, edges)
    resolve_new(db, ids[0], ids[-1])
    tie_files(db, ids[0], ids[-1])
    return ids


def replace_child(db: sqlite3.Connection, job_id: int, job: Job) -> None:
    """Let the row of a child job, and its edges, say what is now known of it."""
    columns = {
        **outcome_columns(db, job),
        "started_at_ns": job.started_at_ns,
        "name": to_sql(job.name),
        "hash": unhex(job_hash(job)),
    }
    update_job(db, job_id, columns)
    db.execute("DELETE FROM edge WHERE job = ?", (job_id,))
    insert_edges(db, job_id, job)
    resolve_late(db, job_id)
    tie_inputs(db, job_id)
