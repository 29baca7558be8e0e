"""The tasks below a job: which they are, grouped by what they are instances of.

A session of one job may have 10,000 tasks; lists and graphs therefore show jobs, and count tasks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from roar_core.lineage.session import JobRow, Link, child_rows
from roar_core.store.names import from_sql

if TYPE_CHECKING:
    import sqlite3


class TaskRow(NamedTuple):
    """One attempt at one task, in its backend's words; `where` is its host or node, may be ''.

    `tracer` observed it, None when nobody did; `role`, `group` and `is_declared` are those of its
    fragment.
    """

    job: JobRow
    backend: str
    task: str
    attempt: int
    where: str
    tracer: str | None = None
    role: str = "task"
    group: str = ""
    is_declared: bool = False


class TaskGroup(NamedTuple):
    """Tasks of one name: their number, how many attempts they took, how many stand in which state.

    A task stands as its newest attempt does; `ended` has how many attempts, of all, ended how.
    `tracers` are how many attempts were observed by what, `groups` what belongs together among
    them (ranks, trials), `declared` how many attempts are known from a specification alone.
    `is_hidden`: all of them are the platform's own. `rows` are all attempts, in the order of
    starting, where they were read.
    """

    name: str
    number: int
    attempts: int
    states: dict[str, int]
    ended: dict[str, int]
    tracers: dict[str, int]
    groups: tuple[str, ...]
    declared: int
    is_hidden: bool
    rows: list[TaskRow]


class Family(NamedTuple):
    """What a job has to do with tasks: the one that it is, its driver's uid, those below it.

    `results` tells of how many tasks of which name it got the result without a file between them,
    but for the platform's own; None stands for those that have not reported. `read` and `written`
    are how many different files all tasks below it used, as many as there are paths.
    """

    task: TaskRow | None = None
    parent: str | None = None
    groups: tuple[TaskGroup, ...] = ()
    results: tuple[tuple[str | None, int], ...] = ()
    read: int = 0
    written: int = 0


# One of so many edges must be a run's, that walking along all of them counts its files sooner.
_WALK_FOR = 3


class Tie(NamedTuple):
    """Results that passed between tasks below one job, by their names; `number` of them.

    `taker` is None where the job itself got them.
    """

    giver: str
    taker: str | None
    number: int


class Need(NamedTuple):
    """A result that a job got: whose it is in the backend's words, and the uid of who gave it.

    None until that has reported.
    """

    backend: str
    task: str
    uid: str | None


def needs_of(db: sqlite3.Connection, uid: str) -> list[Need]:
    """The results that a job got, by its uid, in the order in which they were made."""
    rows = db.execute(
        "SELECT need.backend, need.task, maker.uid FROM need "
        "LEFT JOIN job maker ON maker.id = need.producer "
        "WHERE need.job = (SELECT id FROM job WHERE uid = ?) "
        "ORDER BY maker.id IS NULL, maker.started_at_ns, maker.id, need.task",
        (uid,),
    )
    return [Need(*row) for row in rows]


def platform_jobs(db: sqlite3.Connection, jobs: Iterable[int]) -> set[int]:
    """Which of these jobs are no work of the user's, but what a platform keeps going itself."""
    rows = db.execute(
        "SELECT job FROM task WHERE role = 'infrastructure'"
        " AND job IN (SELECT value FROM json_each(?))",
        (json.dumps(list(jobs)),),
    )
    return {job for (job,) in rows}


def family_of(db: sqlite3.Connection, uid: str, *, with_rows: bool = False) -> Family:
    """The tasks below a job, and which one it is itself; each attempt only `with_rows`."""
    mine = _rows(db, "job.uid = ?", uid)
    row = db.execute("SELECT parent FROM job WHERE uid = ?", (uid,)).fetchone()
    groups = task_groups(db, uid, with_rows=with_rows)
    files = _files(db, uid) if groups else {}
    return Family(
        mine[0] if mine else None,
        row and row[0],
        tuple(groups),
        _results(db, uid),
        read=files.get(0, 0),
        written=files.get(1, 0),
    )


def _files(db: sqlite3.Connection, uid: str) -> dict[int, int]:
    """How many different files all tasks below a job read (0) and wrote (1)."""
    theirs, others = db.execute(
        # The least and the greatest number asked apart: together SQLite looks at every row.
        "SELECT sum(input_count + output_count), (SELECT max(id) FROM edge) - "
        "(SELECT min(id) FROM edge) + 1 FROM job WHERE parent = ?",
        (uid,),
    ).fetchone()
    # In the order of their paths those of 100,000 edges are counted three times as fast as in that
    # of the tasks, but all edges there are have to be looked at.
    index = "edge_by_path" if (theirs or 0) * _WALK_FOR > (others or 0) else "edge_by_job"
    rows = db.execute(
        "SELECT direction, count(*) FROM (SELECT DISTINCT path, direction FROM edge "  # noqa: S608
        f"INDEXED BY {index} WHERE job IN (SELECT job FROM task "
        "WHERE driver = (SELECT id FROM job WHERE uid = ?))) GROUP BY direction",
        (uid,),
    )
    return dict(rows.fetchall())


def task_groups(db: sqlite3.Connection, uid: str, *, with_rows: bool = False) -> list[TaskGroup]:
    """The tasks below a job by name, in the order in which the first of each was started."""
    rows: dict[str, list[TaskRow]] = {}
    if with_rows:
        for row in _rows(db, "parent = ?", uid):
            rows.setdefault(row.job.name or "", []).append(row)
    found: dict[str, TaskGroup] = {}
    for raw_name, state, tracer, role, is_declared, is_newest, count in _counts(db, uid):
        name = from_sql(raw_name or "")
        group = found.get(name) or TaskGroup(
            name, 0, 0, {}, {}, {}, (), 0, True, rows.get(name, [])
        )
        _add(group.ended, state, count)
        if tracer:
            _add(group.tracers, tracer, count)
        if is_newest:
            _add(group.states, state, count)
        found[name] = group._replace(
            number=group.number + is_newest * count,
            attempts=group.attempts + count,
            declared=group.declared + is_declared * count,
            is_hidden=group.is_hidden and role != "task",
        )
    for raw_name, together in db.execute(
        "SELECT DISTINCT job.name, grouped FROM task JOIN job ON job.id = task.job "
        "WHERE driver = (SELECT id FROM job WHERE uid = ?) AND grouped <> ''",
        (uid,),
    ):
        group = found[from_sql(raw_name or "")]
        found[group.name] = group._replace(groups=(*group.groups, together))
    return list(found.values())


def ties_below(db: sqlite3.Connection, uid: str) -> list[Tie]:
    """What tasks of one name below a job, or the job itself, got of tasks of another."""
    rows = db.execute(
        "SELECT gave.name, CASE WHEN got.uid <> :uid THEN coalesce(got.name, '') END, count(*) "
        "FROM job gave JOIN need ON need.producer = gave.id JOIN job got ON got.id = need.job "
        "WHERE gave.parent = :uid GROUP BY 1, 2 ORDER BY min(gave.started_at_ns)",
        {"uid": uid},
    )
    return [
        Tie(from_sql(giver or ""), None if taker is None else from_sql(taker), number)
        for giver, taker, number in rows
    ]


def task_counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many tasks each job that has any has below it, by its uid; not those of the platform."""
    rows = db.execute(
        "SELECT job.uid, count(*) FROM (SELECT DISTINCT driver, backend, task FROM task"
        " WHERE role = 'task') JOIN job ON job.id = driver GROUP BY driver"
    )
    return dict(rows.fetchall())


def drivers(db: sqlite3.Connection) -> set[str]:
    """The uids of all jobs with tasks below them."""
    # Along the index, from one driver to the next: there may be a hundred thousand tasks.
    rows = db.execute(
        "WITH RECURSIVE next (driver) AS (SELECT min(driver) FROM task UNION ALL "
        "SELECT (SELECT min(driver) FROM task WHERE driver > next.driver) FROM next "
        "WHERE next.driver IS NOT NULL) SELECT uid FROM next JOIN job ON job.id = next.driver"
    )
    return {uid for (uid,) in rows}


def drivers_of(db: sqlite3.Connection, tasks: Iterable[int]) -> dict[int, int]:
    """The job that drove each of these tasks; both are ids."""
    query = "SELECT job, driver FROM task WHERE job IN (SELECT value FROM json_each(?))"
    return dict(db.execute(query, (json.dumps(list(tasks)),)).fetchall())


def tasks_of(db: sqlite3.Connection, jobs: Iterable[int]) -> list[int]:
    """The tasks that these jobs drove; all are ids."""
    query = "SELECT job FROM task WHERE driver IN (SELECT value FROM json_each(?))"
    return [row[0] for row in db.execute(query, (json.dumps(list(jobs)),))]


def folded(db: sqlite3.Connection, links: list[Link]) -> list[Link]:
    """Links between the jobs of a graph: what a task read or wrote, its driver read or wrote."""
    driver_of = dict(db.execute("SELECT job, driver FROM task").fetchall())
    if not driver_of:
        return links
    return [
        (driver_of.get(consumer, consumer), driver_of.get(producer, producer), artifact)
        for consumer, producer, artifact in links
    ]


def _add(counts: dict[str, int], key: str, number: int) -> None:
    counts[key] = counts.get(key, 0) + number


# Ten thousand rows are counted here in a third of the time that it takes to read them.
_COUNTS = """
    SELECT job.name, CASE WHEN job.undone_at_ns IS NULL THEN job.state ELSE 'undone' END,
        job.tracer, task.role, task.is_declared, {}, count(*)
    FROM task JOIN job ON job.id = task.job WHERE task.driver = (SELECT id FROM job WHERE uid = ?)
    GROUP BY 1, 2, 3, 4, 5, 6 WINDOW same AS (PARTITION BY job.name)
    ORDER BY min(min(job.started_at_ns)) OVER same, min(min(job.id)) OVER same
"""
_NEWEST = """NOT EXISTS (SELECT 1 FROM task later WHERE later.driver = task.driver
    AND later.backend = task.backend AND later.task = task.task AND later.attempt > task.attempt)"""


def _counts(
    db: sqlite3.Connection, uid: str
) -> list[tuple[str | bytes | None, str, str | None, str, int, int, int]]:
    """Name, state, tracer, role, whether declared, whether the newest attempt; how many of such."""
    most = db.execute(
        "SELECT max(attempt) FROM task WHERE driver = (SELECT id FROM job WHERE uid = ?)", (uid,)
    ).fetchone()[0]
    if most is None:
        return []
    return db.execute(_COUNTS.format("1" if most == 1 else _NEWEST), (uid,)).fetchall()


def _results(db: sqlite3.Connection, uid: str) -> tuple[tuple[str | None, int], ...]:
    rows = db.execute(
        "SELECT maker.id IS NULL, maker.name, count(*) FROM need "
        "LEFT JOIN job maker ON maker.id = need.producer "
        "LEFT JOIN task ON task.job = maker.id "
        "WHERE need.job = (SELECT id FROM job WHERE uid = ?) AND task.role IS NOT 'infrastructure' "
        "GROUP BY 1, 2 ORDER BY 1, min(maker.started_at_ns)",
        (uid,),
    )
    return tuple(
        (None if is_unknown else from_sql(name or ""), number) for is_unknown, name, number in rows
    )


def _rows(db: sqlite3.Connection, where: str, value: str) -> list[TaskRow]:
    tasks = {
        job: (*fields, bool(is_declared))
        for job, *fields, is_declared in db.execute(
            "SELECT task.job, backend, task, task.attempt, place, tracer, role, grouped, "  # noqa: S608 (constants)
            f"is_declared FROM task JOIN job ON job.id = task.job WHERE {where}",
            (value,),
        )
    }
    if not tasks:
        return []
    jobs = child_rows(db, where, value)
    return [TaskRow(job, *tasks[job.id]) for job in jobs if job.id in tasks]
