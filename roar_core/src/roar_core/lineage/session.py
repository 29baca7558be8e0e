"""The light rows that questions about a whole session are answered from.

`store` gives a job with everything; 10,000 such jobs take a second to read. What `log`, `status`
and `dag` show of them is here: one row for each job and one for each passing of bytes, in tens of
milliseconds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from roar_core.errors import NotFoundError

if TYPE_CHECKING:
    import sqlite3


class Place(NamedTuple):
    """Where a job stands in its session; ordered builds first, then by number and attempt."""

    is_step: bool
    number: int
    attempt: int

    @property
    def step(self) -> tuple[bool, int]:
        """What the attempts of one step have in common."""
        return self[:2]

    def __str__(self) -> str:
        return f"@{'' if self.is_step else 'B'}{self.number}"

    @property
    def exact(self) -> str:
        """With its attempt: `@3.2`."""
        return f"{self}.{self.attempt}"


class JobRow(NamedTuple):
    """A job in a list. `id` is the database's, `hash` raw bytes, `inputs`, `outputs` numbers.

    `is_newest`: no later attempt at its step stands. `is_active`: its session is the active one.
    `origin` is what its session is called elsewhere, None of one that was recorded here.
    """

    id: int
    uid: str
    hash: bytes | None
    session: int
    place: Place | None
    kind: str
    raw_name: str | bytes | None
    raw_command: str
    state: str
    exit_code: int | None
    signal: str | None
    started_at_ns: int
    duration_s: float | None
    is_complete: bool
    inputs: int
    outputs: int
    is_newest: bool
    is_active: bool
    origin: str | None = None

    @property
    def label(self) -> str:
        """Its place in its session: `@3`, or `@3.1` when a newer attempt is what `@3` means."""
        if self.place is None:
            return ""
        return str(self.place) if self.is_newest else self.place.exact

    @property
    def reference(self) -> str:
        """What `roar show` calls it: its label in the active session, else its uid's beginning."""
        return self.label if self.is_active and self.place else self.uid[:8]

    @property
    def name(self) -> str | None:
        return None if self.raw_name is None else os.fsdecode(self.raw_name)

    @property
    def is_plain(self) -> bool:
        """Whether the command is ASCII; anything else is escaped in the database."""
        return "\\u" not in self.raw_command

    @property
    def command(self) -> list[str]:
        command: list[str] = json.loads(self.raw_command)
        if self.is_plain:
            return command
        return [os.fsdecode(argument.encode("utf-8", "surrogateescape")) for argument in command]


# Who read, whose bytes, which bytes: the database's ids of two jobs and an artifact. A plain
# tuple: a session has 100,000 of them.
Link = tuple[int, int, int]


class Session(NamedTuple):
    """A session; the active one is the newest."""

    number: int
    started_at_ns: int
    is_active: bool


def find_session(db: sqlite3.Connection, number: int | None) -> Session | None:
    """The session of this number, the active one for None; None before the first.

    Raises `NotFoundError` when the number is no session's.
    """
    newest = db.execute("SELECT max(id) FROM session").fetchone()[0]
    if number is None and newest is None:
        return None
    wanted = newest if number is None else number
    row = db.execute("SELECT id, started_at_ns FROM session WHERE id = ?", (wanted,)).fetchone()
    if row is None:
        known = f"there are 1 to {newest}" if newest else "none has begun"
        raise NotFoundError(f"there is no session {number}; {known}")
    return Session(row[0], row[1], row[0] == newest)


# Every S608 below joins constants of this module only.
_COLUMNS = (
    "id, uid, hash, session, step_number, step_is_build, attempt, kind, name, command, "
    "CASE WHEN undone_at_ns IS NULL THEN state ELSE 'undone' END, exit_code, signal, "
    "started_at_ns, duration_s, coverage = '[]', input_count, output_count, "
    "NOT EXISTS (SELECT 1 FROM job later WHERE later.session = job.session"
    " AND later.step_is_build = job.step_is_build AND later.step_number = job.step_number"
    " AND later.attempt > job.attempt AND later.undone_at_ns IS NULL), "
    "session = (SELECT max(id) FROM session), CASE WHEN session < 0 THEN"
    " (SELECT origin FROM imported_session WHERE imported_session.session = job.session) END"
)


def session_jobs(
    db: sqlite3.Connection, session: int, *, with_undone: bool = False, limit: int = -1
) -> list[JobRow]:
    """The newest `limit` jobs of a session, newest first, without tasks; all when negative."""
    undone = "" if with_undone else "AND undone_at_ns IS NULL"
    # `+` keeps SQLite from the index: walking the table is twice as fast as looking up every row.
    return _rows(
        db.execute(
            f"SELECT {_COLUMNS} FROM job WHERE +session = ? AND parent IS NULL {undone}"  # noqa: S608
            " ORDER BY id DESC LIMIT ?",
            (session, limit),
        )
    )


def newest_steps(db: sqlite3.Connection, session: int, last: int) -> list[JobRow]:
    """Every attempt, undone ones too, at the last steps and the last builds."""
    return _rows(
        db.execute(
            f"SELECT {_COLUMNS} FROM job WHERE session = :session AND step_number > :above +"  # noqa: S608
            " (SELECT max(step_number) FROM job other"
            "  WHERE other.session = :session AND other.step_is_build = job.step_is_build)",
            {"session": session, "above": -last},
        )
    )


def attempts_beside(db: sqlite3.Connection, job: int, session: int) -> list[JobRow]:
    """Every attempt at the step of `job`; none when it is of another session or of no step."""
    return _rows(
        db.execute(
            f"SELECT {_COLUMNS} FROM job WHERE session = ? AND (step_is_build, step_number) ="  # noqa: S608
            " (SELECT step_is_build, step_number FROM job WHERE id = ? AND session = ?)",
            (session, job, session),
        )
    )


def count_steps(db: sqlite3.Connection, session: int) -> tuple[int, int]:
    """How many steps and how many builds of a session are not undone."""
    rows = db.execute(
        "SELECT step_is_build, count(DISTINCT step_number) FROM job"
        " WHERE session = ? AND undone_at_ns IS NULL GROUP BY step_is_build",
        (session,),
    )
    counts = {bool(is_build): number for is_build, number in rows}
    return counts.get(False, 0), counts.get(True, 0)


def count_states(db: sqlite3.Connection, session: int) -> tuple[dict[str, int], int]:
    """How many jobs there are by state, and how many are seen in part only; tasks not counted."""
    rows = db.execute(
        "SELECT CASE WHEN undone_at_ns IS NULL THEN state ELSE 'undone' END AS now, count(*),"
        " sum(coverage <> '[]' AND undone_at_ns IS NULL) FROM job"
        " WHERE session = ? AND parent IS NULL GROUP BY now",
        (session,),
    ).fetchall()
    return {state: number for state, number, _ in rows}, sum(partial for _, _, partial in rows)


def jobs_by_uid(db: sqlite3.Connection, uids: Iterable[str]) -> dict[str, JobRow]:
    """The rows of these jobs, whatever their session."""
    rows: list[JobRow] = []
    for uid in dict.fromkeys(uids):
        rows += _rows(db.execute(f"SELECT {_COLUMNS} FROM job WHERE uid = ?", (uid,)))  # noqa: S608
    return {row.uid: row for row in rows}


def jobs_by_id(db: sqlite3.Connection, ids: Iterable[int]) -> dict[int, JobRow]:
    """The rows of these jobs, whatever their session, in the order asked for."""
    wanted = list(ids)
    rows = _rows(
        db.execute(
            f"SELECT {_COLUMNS} FROM job WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (json.dumps(wanted),),
        )
    )
    found = {row.id: row for row in rows}
    return {job: found[job] for job in wanted if job in found}


def child_rows(db: sqlite3.Connection, where: str, value: str) -> list[JobRow]:
    """The rows of jobs that a condition of ours picks, in the order in which they started."""
    query = f"SELECT {_COLUMNS} FROM job WHERE {where} ORDER BY started_at_ns, id"  # noqa: S608
    return _rows(db.execute(query, (value,)))


def uid_of(db: sqlite3.Connection, job: int) -> str:
    """The uid of the job with this id."""
    return str(db.execute("SELECT uid FROM job WHERE id = ?", (job,)).fetchone()[0])


def session_links(db: sqlite3.Connection, session: int) -> list[Link]:
    """What the jobs of a session read that a recorded job wrote."""
    # CROSS JOIN keeps SQLite from walking every edge there is (sqlite.org/lang_select.html).
    return db.execute(
        "SELECT edge.job, edge.producer, edge.artifact FROM job CROSS JOIN edge"
        " ON edge.job = job.id WHERE job.session = :session AND edge.direction = 0"
        " AND edge.producer IS NOT NULL UNION ALL "
        "SELECT edge.job, source.job, edge.artifact FROM composite_source source"
        " JOIN edge ON edge.id = source.edge JOIN job ON job.id = edge.job"
        " WHERE job.session = :session",
        {"session": session},
    ).fetchall()


def job_links(db: sqlite3.Connection, job: int) -> list[Link]:
    """What one job and its tasks read that another job, or a task of another, wrote.

    What a task read or wrote its driver did: ten thousand tasks are folded where their edges are.
    """
    return db.execute(
        "SELECT :job, coalesce(task.driver, producer) AS source, artifact FROM passing"  # noqa: S608
        f" LEFT JOIN task ON task.job = producer WHERE consumer IN ({_WITH_TASKS})"
        " AND source <> :job",
        {"job": job},
    ).fetchall()


def artifacts_written(db: sqlite3.Connection, job: int) -> Collection[int]:
    """The artifacts among the outputs of a job and its tasks."""
    rows = db.execute(
        f"SELECT artifact FROM edge WHERE job IN ({_WITH_TASKS}) AND direction = 1",  # noqa: S608
        {"job": job},
    )
    return {artifact for (artifact,) in rows if artifact is not None}


_WITH_TASKS = "SELECT :job UNION ALL SELECT job FROM task WHERE driver = :job"


def _rows(rows: Iterable[tuple[Any, ...]]) -> list[JobRow]:
    return [JobRow._make((*row[:4], _place(row), *row[7:])) for row in rows]


def _place(row: tuple[Any, ...]) -> Place | None:
    return None if row[4] is None else Place(not row[5], row[4], row[6])
