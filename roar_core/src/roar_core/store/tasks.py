"""Child jobs: what a backend brought back of a run, merged once however often it is collected."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import attrs

from roar_core.identity import job_hash
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.job import Edge, Job
from roar_core.store.edges import insert_edges, resolve_in_family, resolve_late
from roar_core.store.jobs import full_jobs
from roar_core.store.rows import coverage_json, to_sql, unhex
from roar_core.store.ties import tie_inputs
from roar_core.store.writer import Store, job_columns, outcome_columns, row_of


class PartKey(NamedTuple):
    """What makes a part of an attempt that part, within one run."""

    backend: str
    task: str
    attempt: int
    part: str


class TaskPart(NamedTuple):
    """A part of an attempt, judged and hashed: `job` is the attempt as far as this part knows it.

    `where` is the host or node it ran on, empty when that is not known.
    """

    key: PartKey
    job: Job
    where: str = ""


class TaskRow(NamedTuple):
    """Which attempt at which task a child job is."""

    backend: str
    task: str
    attempt: int
    where: str


def merged_parts(store: Store, driver: str) -> set[PartKey]:
    """Return the parts of this job's tasks that are in the database."""
    with store.reading() as db:
        rows = db.execute(
            "SELECT task.backend, task.task, task.attempt, task_part.part "
            "FROM task JOIN task_part ON task_part.job = task.job "
            "WHERE task.driver = (SELECT id FROM job WHERE uid = ?)",
            (driver,),
        )
        return {PartKey(*row) for row in rows}


def count_tasks(store: Store, driver: str, backend: str) -> int:
    """Return how many tasks of one backend have reported, however many attempts each took."""
    with store.reading() as db:
        (number,) = db.execute(
            "SELECT count(DISTINCT task) FROM task "
            "WHERE driver = (SELECT id FROM job WHERE uid = ?) AND backend = ?",
            (driver, backend),
        ).fetchone()
    return int(number)


def merge_parts(store: Store, driver: str, parts: Iterable[TaskPart]) -> int:
    """Merge parts into the child jobs of `driver`, in one transaction; return how many were new.

    An attempt's first part makes its job; every other one adds to it. A part that is there already
    changes nothing. Raises NotFoundError when there is no such driver.
    """
    with store.writing() as db:
        driver_id, _ = row_of(db, driver)
        return sum(_merge(db, driver_id, part) for part in parts)


def settle_tasks(store: Store, driver: str) -> None:
    """Tie the edges of a run's jobs to each other, once all that came together is merged."""
    with store.writing() as db:
        driver_id, _ = row_of(db, driver)
        resolve_in_family(db, driver_id)


def replace_reasons(
    store: Store, uid: str, codes: Collection[str], reasons: Sequence[CoverageReason]
) -> None:
    """Let a job's coverage say `reasons` in the place of those with one of `codes`."""
    with store.writing() as db:
        [job] = full_jobs(db, "job.uid = ?", uid)
        kept = tuple(reason for reason in job.coverage.reasons if reason.code not in codes)
        text = coverage_json(Coverage((*kept, *reasons)))
        db.execute("UPDATE job SET coverage = ? WHERE uid = ?", (text, uid))


def _merge(db: sqlite3.Connection, driver: int, part: TaskPart) -> bool:
    key = part.key
    attempt = (driver, *key[:3])
    found = db.execute(
        "SELECT job FROM task WHERE driver = ? AND backend = ? AND task = ? AND attempt = ?",
        attempt,
    ).fetchone()
    if found is None:
        job_id = _insert(db, driver, part.job)
        db.execute("INSERT INTO task VALUES (?, ?, ?, ?, ?, ?)", (job_id, *attempt, part.where))
        _link_attempts(db, driver, key)
    else:
        (job_id,) = found
        merged = db.execute(
            "SELECT 1 FROM task_part WHERE job = ? AND part = ?", (job_id, key.part)
        )
        if merged.fetchone():
            return False
        [stored] = full_jobs(db, "job.id = ?", job_id)
        _replace(db, job_id, united(stored, part.job))
    db.execute("INSERT INTO task_part VALUES (?, ?)", (job_id, key.part))
    return True


def united(stored: Job, part: Job) -> Job:
    """Return an attempt of which two parts are known; `stored` is what came before."""
    ended = part if stored.state == "interrupted" else stored
    started = min(stored.started_at_ns, part.started_at_ns)
    ends = [
        job.started_at_ns + round(job.duration_s * 1e9)
        for job in (stored, part)
        if job.duration_s is not None
    ]
    packages = stored.packages
    return attrs.evolve(
        stored,
        state=ended.state,
        exit_code=ended.exit_code,
        signal=ended.signal,
        name=stored.name or part.name,
        tracer=stored.tracer or part.tracer,
        started_at_ns=started,
        duration_s=(max(ends) - started) / 1e9 if ends else None,
        inputs=_distinct((*stored.inputs, *part.inputs)),
        outputs=_distinct((*stored.outputs, *part.outputs)),
        coverage=Coverage(tuple(dict.fromkeys((*stored.coverage.reasons, *part.coverage.reasons)))),
        packages=attrs.evolve(
            packages,
            python={**packages.python, **part.packages.python},
            system={**packages.system, **part.packages.system},
        ),
        environment=stored.environment or part.environment,
    )


def _distinct(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    return tuple({(edge.path, edge.hash): edge for edge in edges}.values())


def _insert(db: sqlite3.Connection, driver: int, job: Job) -> int:
    session, undone_at_ns = db.execute(
        "SELECT session, undone_at_ns FROM job WHERE id = ?", (driver,)
    ).fetchone()
    columns: dict[str, Any] = {
        **job_columns(db, attrs.evolve(job, session=session, step=None)),
        "undone_at_ns": undone_at_ns,
        "hash": unhex(job_hash(job)),
    }
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    # Names are literals of ours; values are bound.
    job_id = db.execute(
        f"INSERT INTO job ({names}) VALUES ({marks})",  # noqa: S608
        tuple(columns.values()),
    ).lastrowid
    assert job_id is not None
    _insert_edges(db, job_id, job)
    return job_id


def _replace(db: sqlite3.Connection, job_id: int, job: Job) -> None:
    """Let the row of a child job, and its edges, say what is now known of it."""
    columns = {
        **outcome_columns(db, job),
        "started_at_ns": job.started_at_ns,
        "name": to_sql(job.name),
        "hash": unhex(job_hash(job)),
    }
    settings = ", ".join(f"{name} = ?" for name in columns)
    db.execute(f"UPDATE job SET {settings} WHERE id = ?", (*columns.values(), job_id))  # noqa: S608
    db.execute("DELETE FROM edge WHERE job = ?", (job_id,))
    _insert_edges(db, job_id, job)


def _insert_edges(db: sqlite3.Connection, job_id: int, job: Job) -> None:
    counts = insert_edges(db, job_id, job)
    db.execute("UPDATE job SET input_count = ?, output_count = ? WHERE id = ?", (*counts, job_id))
    resolve_late(db, job_id)
    tie_inputs(db, job_id)


def _link_attempts(db: sqlite3.Connection, driver: int, key: PartKey) -> None:
    """Let each attempt at a task be a rerun of the one before it, in whatever order they came."""
    db.execute(
        "UPDATE job SET rerun_of = (SELECT before.uid FROM task mine "
        "JOIN task earlier ON earlier.driver = mine.driver AND earlier.backend = mine.backend "
        "AND earlier.task = mine.task AND earlier.attempt < mine.attempt "
        "JOIN job before ON before.id = earlier.job "
        "WHERE mine.job = job.id ORDER BY earlier.attempt DESC LIMIT 1) "
        "WHERE id IN (SELECT job FROM task WHERE driver = ? AND backend = ? AND task = ?)",
        (driver, *key[:2]),
    )
