"""The session database's one writer: begin and complete jobs, begin sessions, undo."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

import attrs
from blake3 import blake3

from roar_core.errors import DatabaseError, NotFoundError, RoarError
from roar_core.identity import job_hash
from roar_core.model.environment import Packages
from roar_core.model.job import Job, Step
from roar_core.store.composites import Datasets, insert_datasets
from roar_core.store.connection import shown
from roar_core.store.edges import (
    insert_edges,
    producers_of,
    resolve_again,
    resolve_in_family,
    resolve_late,
)
from roar_core.store.filesystem import is_networked
from roar_core.store.label_documents import merged
from roar_core.store.labels import change_labels
from roar_core.store.object_versions import insert_versions
from roar_core.store.owner import OWNER_COLUMNS, Owner, owner_from_row
from roar_core.store.queries import Queries
from roar_core.store.rows import (
    JOB_COLUMNS,
    command_to_json,
    coverage_json,
    environment_json,
    job_from_row,
    packages_json,
    to_sql,
    unhex,
)
from roar_core.store.sources import insert_sources
from roar_core.store.stat_cache import StatCache
from roar_core.store.steps import assign_step, step_key
from roar_core.store.ties import tie_inputs

_NONE = Datasets()


class RunningJob(NamedTuple):
    """A job whose end has not been recorded, and the roar that was to record it."""

    job: Job
    owner: Owner


class Store(Queries, StatCache):
    """The session database of one project, for reading and writing."""

    def begin(self, job: Job, *, owner: Owner, rerun_of_step: Step | None = None) -> Job:
        """Insert a job about to start as *running* and return it with its session and step.

        The active session is made on demand. `owner` is the process that will call `complete`.
        Raises NotFoundError when `rerun_of_step` names no step of the active session.
        """
        with self.writing() as db:
            session = _active_session(db, job.started_at_ns)
            step, rerun_of = assign_step(db, job, session, rerun_of_step)
            job = attrs.evolve(job, state="running", session=session, step=step, rerun_of=rerun_of)
            columns = {
                **job_columns(db, job),
                "owner_pid": owner.pid,
                "owner_start_ticks": owner.start_ticks,
                "owner_boot_id": owner.boot_id,
                "owner_pid_namespace": owner.pid_namespace,
                "owner_machine": owner.machine,
            }
            # Names are literals of this module; values are bound.
            names, marks = ", ".join(columns), ", ".join("?" * len(columns))
            db.execute(f"INSERT INTO job ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608
        return job

    def complete(self, job: Job, datasets: Datasets = _NONE) -> Job:
        """Record how a running job ended, all in one transaction; return it as it is now stored.

        `datasets` are what its composite edges stand for.
        Fills in the hash, the producers of its inputs, session and step. A job that another process
        has completed in the meantime stays as that one recorded it, and is returned so.
        Raises NotFoundError for a job that was never begun, DatabaseError when the database was
        deleted since it was opened.
        """
        if job.state in ("running", "undone"):
            raise DatabaseError(f"a job cannot be completed as {job.state}")
        digest = job.hash or job_hash(job)
        if self.is_deleted():
            raise DatabaseError(f"database {shown(self.path)} was deleted while the command ran")
        with self.writing() as db:
            job_id, state = row_of(db, job.uid)
            if state == "running":
                update_job(db, job_id, {"hash": unhex(digest), **outcome_columns(db, job)})
                insert_edges(db, job_id, job)
                insert_datasets(db, job_id, job, datasets)
                insert_versions(db, job_id, job)
                insert_sources(db, job_id, job.sources)
                resolve_late(db, job_id)
                resolve_in_family(db, job_id)
                tie_inputs(db, job_id)
                db.executemany(
                    "INSERT INTO tracker_reference "
                    "(job, tracker, run_id, project, entity, name, url, host, title) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        (job_id, *map(to_sql, attrs.astuple(reference)))
                        for reference in job.trackers
                    ],
                )
                # Users may have labelled it while it ran.
                change_labels(
                    db, "job", job_id, lambda found: merged(found, job.labels), job.started_at_ns
                )
                return _as_stored(db, job_id, job)
        return self.job(job.uid)

    def running_jobs(self) -> list[RunningJob]:
        """Return the jobs that have not been completed, oldest first."""
        with self.reading() as db:
            rows = db.execute(
                f"SELECT {OWNER_COLUMNS}, {JOB_COLUMNS} FROM job "  # noqa: S608 (constants)
                "WHERE state = 'running' ORDER BY id"
            ).fetchall()
        owners = len(Owner._fields)
        return [
            RunningJob(job_from_row(row[owners:]), owner_from_row(row[:owners])) for row in rows
        ]

    def orphans(self) -> list[RunningJob]:
        """Return the running jobs whose roar is surely gone, so that nobody completes them."""
        jobs = self.running_jobs()
        is_shared = bool(jobs) and is_networked(self.path.parent)
        return [each for each in jobs if each.owner.is_gone(is_shared=is_shared)]

    def is_elsewhere(self, running: RunningJob) -> bool:
        """Whether a running job is another machine's or container's: nobody here sees its end."""
        return running.owner.is_elsewhere(is_shared=is_networked(self.path.parent))

    def reset(self, now_ns: int) -> int:
        """Begin a new session and return its number; an active session without jobs is used on."""
        with self.writing() as db:
            session = _active_session(db, now_ns)
            if db.execute("SELECT 1 FROM job WHERE session = ? LIMIT 1", (session,)).fetchone():
                session = _new_session(db, now_ns)
        return session

    def mark_undone(self, uid: str, now_ns: int) -> None:
        """Hide a job that has ended, and its tasks: its step and its bytes are other jobs' now.

        Raises NotFoundError when there is no such job, RoarError while it runs.
        """
        with self.writing() as db:
            job_id, state = row_of(db, uid)
            if state == "running":
                raise RoarError(f"job {uid[:8]} is still running; stop it before undoing it")
            tasks = db.execute("SELECT id FROM job WHERE parent = ?", (uid,)).fetchall()
            hidden = [job_id, *(task for (task,) in tasks)]
            db.executemany(
                "UPDATE job SET undone_at_ns = ? WHERE id = ? AND undone_at_ns IS NULL",
                [(now_ns, job) for job in hidden],
            )
            marks = ", ".join("?" * len(hidden))
            readers = db.execute(
                f"SELECT DISTINCT consumer FROM passing WHERE producer IN ({marks})",  # noqa: S608
                hidden,
            ).fetchall()
            for job in hidden:
                resolve_again(db, job)
            for (reader,) in readers:
                tie_inputs(db, reader)


def _active_session(db: sqlite3.Connection, now_ns: int) -> int:
    newest = db.execute("SELECT max(id) FROM session").fetchone()[0]
    return _new_session(db, now_ns) if newest is None else int(newest)


def _new_session(db: sqlite3.Connection, now_ns: int) -> int:
    session = db.execute("INSERT INTO session (started_at_ns) VALUES (?)", (now_ns,)).lastrowid
    assert session is not None
    return session


def row_of(db: sqlite3.Connection, uid: str) -> tuple[int, str]:
    """Return a job's id and state. Raises NotFoundError when there is no such job."""
    row = db.execute("SELECT id, state FROM job WHERE uid = ?", (uid,)).fetchone()
    if row is None:
        raise NotFoundError(f"no job {uid} in this database")
    return row[0], row[1]


def update_job(db: sqlite3.Connection, job_id: int, columns: dict[str, Any]) -> None:
    """Let a job's row say what `columns`, named by this package, hold."""
    settings = ", ".join(f"{name} = ?" for name in columns)
    db.execute(f"UPDATE job SET {settings} WHERE id = ?", (*columns.values(), job_id))  # noqa: S608


def job_columns(
    db: sqlite3.Connection, job: Job, known: dict[Any, Any] | None = None
) -> dict[str, Any]:
    """Return all that a job's row holds, but for its hash, its edges' numbers and its owner.

    `known` keeps what many jobs of one transaction have in common.
    """
    step = job.step
    done = (job.kind, job.cwd, job.project, job.command)
    told = None if known is None else known.get(done)
    if told is None:
        told = {
            "step_key": step_key(job),
            "command": command_to_json(job.command),
            "project": to_sql(job.project),
            "cwd": to_sql(job.cwd),
        }
        if known is not None:
            known[done] = told
    return {
        "uid": job.uid,
        "session": job.session,
        "step_number": step.number if step else None,
        "step_is_build": step.is_build if step else False,
        "attempt": step.attempt if step else None,
        "rerun_of": job.rerun_of,
        "parent": job.parent,
        "kind": job.kind,
        **told,
        "started_at_ns": job.started_at_ns,
        **outcome_columns(db, job, known),
    }


def outcome_columns(
    db: sqlite3.Connection, job: Job, known: dict[Any, Any] | None = None
) -> dict[str, Any]:
    """Return what is known better, or only, when the job has ended; `known` as in `job_columns`."""
    packages = None if job.packages == Packages() else packages_json(job.packages)
    environment = None if job.environment is None else environment_json(job.environment)
    return {
        "name": to_sql(job.name),
        "state": job.state,
        "exit_code": job.exit_code,
        "signal": job.signal,
        "duration_s": job.duration_s,
        "tracer": job.tracer,
        "coverage": coverage_json(job.coverage),
        "git_commit": job.git.commit,
        "git_branch": to_sql(job.git.branch),
        "git_remote": to_sql(job.git.remote),
        "git_dirty": job.git.dirty,
        "git_snapshot": job.git.snapshot,
        "package_set": _shared(db, "package_set", packages, known),
        "environment": _shared(db, "environment", environment, known),
    }


def _shared(
    db: sqlite3.Connection, table: str, content: str | None, known: dict[Any, Any] | None
) -> int | None:
    """Return the row of a content-addressed table that holds `content`."""
    if content is None:
        return None
    if known is not None:
        if (table, content) not in known:
            known[table, content] = _shared(db, table, content, None)
        return int(known[table, content])
    digest = blake3(content.encode()).digest()
    db.execute(f"INSERT OR IGNORE INTO {table} (digest, content) VALUES (?, ?)", (digest, content))  # noqa: S608
    return int(db.execute(f"SELECT id FROM {table} WHERE digest = ?", (digest,)).fetchone()[0])  # noqa: S608


def _as_stored(db: sqlite3.Connection, job_id: int, job: Job) -> Job:
    """Return `job` with what the database decided, without reading all of it back."""
    row = db.execute(f"SELECT {JOB_COLUMNS} FROM job WHERE id = ?", (job_id,)).fetchone()  # noqa: S608
    stored = job_from_row(row)
    return attrs.evolve(
        job,
        session=stored.session,
        step=stored.step,
        rerun_of=stored.rerun_of,
        parent=stored.parent,
        hash=stored.hash,
        inputs=producers_of(db, job_id, job.inputs, job.project),
    )
