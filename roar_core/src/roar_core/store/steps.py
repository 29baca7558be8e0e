"""Which step of its session a new job is (`@N`, or `@BN` for a build), and which attempt at it."""

from __future__ import annotations

import sqlite3

from blake3 import blake3

from roar_core.errors import NotFoundError
from roar_core.identity import canonical_json, portable_name, relative_to_project
from roar_core.model.job import Job, Step


def step_key(job: Job) -> bytes:
    """Return what makes two jobs one step: kind, project-relative cwd and argv, no more."""
    inside = relative_to_project(job.cwd, job.project)
    cwd = portable_name(job.cwd if inside is None else inside)
    argv = [portable_name(argument) for argument in job.command]
    return blake3(canonical_json([job.kind, cwd, argv])).digest()


def assign_step(
    db: sqlite3.Connection, job: Job, session: int, rerun_of_step: Step | None
) -> tuple[Step | None, str | None]:
    """Return the step of a new job, and the uid of the attempt it repeats.

    Must run in the transaction that inserts the job. A job below another (`parent`) belongs to its
    parent's step and gets none. Raises NotFoundError when `rerun_of_step` is not in this session.
    """
    if job.parent is not None:
        return None, job.rerun_of
    if rerun_of_step is not None:
        same = (rerun_of_step.number, rerun_of_step.is_build)
    else:
        found = db.execute(
            "SELECT step_number, step_is_build FROM job "
            "WHERE session = ? AND step_key = ? AND step_number IS NOT NULL "
            "ORDER BY id DESC LIMIT 1",
            (session, step_key(job)),
        ).fetchone()
        if found is None:
            return _next_step(db, session, job.kind == "build"), job.rerun_of
        same = (found[0], bool(found[1]))
    number, is_build = same
    attempts = db.execute(
        "SELECT uid, attempt, undone_at_ns FROM job "
        "WHERE session = ? AND step_is_build = ? AND step_number = ? ORDER BY attempt DESC",
        (session, is_build, number),
    ).fetchall()
    if not attempts:
        raise NotFoundError(f"no step {rerun_of_step} in this session")
    standing = next(
        (uid for uid, _, undone_at_ns in attempts if undone_at_ns is None), attempts[0][0]
    )
    return Step(number, is_build, attempts[0][1] + 1), job.rerun_of or standing


def _next_step(db: sqlite3.Connection, session: int, is_build: bool) -> Step:
    last = db.execute(
        "SELECT max(step_number) FROM job WHERE session = ? AND step_is_build = ?",
        (session, is_build),
    ).fetchone()[0]
    return Step((last or 0) + 1, is_build)
