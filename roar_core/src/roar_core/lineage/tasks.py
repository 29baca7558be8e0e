"""The tasks below a job: which they are, grouped by what they are instances of.

A session of one job may have 10,000 tasks; lists and graphs therefore show jobs, and count tasks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from roar_core.lineage.session import JobRow, Link, child_rows

if TYPE_CHECKING:
    import sqlite3


class TaskRow(NamedTuple):
    """One attempt at one task, in its backend's words; `where` is its host or node, may be ''."""

    job: JobRow
    backend: str
    task: str
    attempt: int
    where: str


class TaskGroup(NamedTuple):
    """Tasks of one name: their number, how many attempts they took, how many stand in which state.

    A task stands as its newest attempt does. `rows` are all attempts, in the order of starting.
    """

    name: str
    number: int
    attempts: int
    states: dict[str, int]
    rows: list[TaskRow]


class Family(NamedTuple):
    """What a job has to do with tasks: the one that it is, its driver's uid, those below it."""

    task: TaskRow | None = None
    parent: str | None = None
    tasks: tuple[TaskRow, ...] = ()


def family_of(db: sqlite3.Connection, uid: str) -> Family:
    """The tasks below a job, and which one it is itself."""
    mine = _rows(db, "job.uid = ?", uid)
    row = db.execute("SELECT parent FROM job WHERE uid = ?", (uid,)).fetchone()
    return Family(mine[0] if mine else None, row and row[0], tuple(_rows(db, "parent = ?", uid)))


def task_groups(tasks: Iterable[TaskRow]) -> list[TaskGroup]:
    """Tasks by name, in the order in which the first of each was started."""
    named: dict[str, list[TaskRow]] = {}
    for row in tasks:
        named.setdefault(row.job.name or "", []).append(row)
    return [_group(name, rows) for name, rows in named.items()]


def task_counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many tasks each job that has any has below it, by the job's uid."""
    rows = db.execute(
        "SELECT driver.uid, count(DISTINCT task.backend || char(0) || task.task) FROM task"
        " JOIN job driver ON driver.id = task.driver GROUP BY task.driver"
    )
    return dict(rows.fetchall())


def drivers_of(db: sqlite3.Connection, tasks: Iterable[int]) -> dict[int, int]:
    """The job that drove each of these tasks; both are ids."""
    query = "SELECT job, driver FROM task WHERE job IN (SELECT value FROM json_each(?))"
    return dict(db.execute(query, (json.dumps(list(tasks)),)).fetchall())


def folded(db: sqlite3.Connection, links: list[Link]) -> list[Link]:
    """Links between the jobs of a graph: what a task read or wrote, its driver read or wrote."""
    driver_of = dict(db.execute("SELECT job, driver FROM task").fetchall())
    if not driver_of:
        return links
    return [
        (driver_of.get(consumer, consumer), driver_of.get(producer, producer), artifact)
        for consumer, producer, artifact in links
    ]


def _group(name: str, rows: list[TaskRow]) -> TaskGroup:
    newest: dict[tuple[str, str], TaskRow] = {}
    for row in rows:
        known = newest.get((row.backend, row.task))
        if known is None or row.attempt > known.attempt:
            newest[row.backend, row.task] = row
    states: dict[str, int] = {}
    for row in newest.values():
        states[row.job.state] = states.get(row.job.state, 0) + 1
    return TaskGroup(name, len(newest), len(rows), states, rows)


def _rows(db: sqlite3.Connection, where: str, value: str) -> list[TaskRow]:
    tasks = {
        job: fields
        for job, *fields in db.execute(
            "SELECT task.job, backend, task, task.attempt, place FROM task"  # noqa: S608 (constants)
            f" JOIN job ON job.id = task.job WHERE {where}",
            (value,),
        )
    }
    if not tasks:
        return []
    jobs = child_rows(db, where, value)
    return [TaskRow(job, *tasks[job.id]) for job in jobs if job.id in tasks]
