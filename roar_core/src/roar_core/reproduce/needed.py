"""Which recorded jobs must run again for some of them, and in which order.

Of several attempts at a step only those take part whose bytes were consumed, and of attempts that
did the same (one job hash) only the newest. Tasks come with the job that drives them; puts are
never replayed.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from roar_core.lineage.closure import upstream


class Needed(NamedTuple):
    """The uids to replay, in order, and which of them each recorded job is replayed by."""

    order: tuple[str, ...]
    replayed_by: dict[str, str]


class _Row(NamedTuple):
    id: int
    uid: str
    kind: str
    parent: str | None
    session: int
    hash: bytes | None
    step_number: int | None


_SELECT = "SELECT id, uid, kind, parent, session, hash, step_number FROM job"


def needed_jobs(db: sqlite3.Connection, uids: Iterable[str]) -> Needed:
    """All that `uids` came from, builds of the same sessions included, in an order that works."""
    walk = _Walk(db)
    for uid in uids:
        walk.add(walk.row(uid))
    walk.follow()
    for uid in _builds(db, walk.rows.values()):
        walk.add(walk.row(uid))
    walk.follow()
    return Needed(_in_order(walk), walk.replayed_by)


def family(db: sqlite3.Connection, uid: str) -> list[str]:
    """The tasks below a job, however deep, in the order of starting."""
    rows = db.execute(
        "WITH RECURSIVE below (uid) AS (VALUES (?) UNION "
        "SELECT job.uid FROM below JOIN job ON job.parent = below.uid) "
        "SELECT job.uid FROM below JOIN job ON job.uid = below.uid WHERE job.uid <> ? "
        "ORDER BY job.id",
        (uid, uid),
    )
    return [found for (found,) in rows]


class _Walk:
    """From consumers to the jobs that stand for their producers.

    The closure in SQL reaches every attempt; this picks from it.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.rows: dict[str, _Row] = {}
        self.replayed_by: dict[str, str] = {}
        self.sources: dict[str, set[str]] = {}
        self._db = db
        self._waiting: list[str] = []
        self._reached: set[int] = set()
        self._producers: dict[int, set[int]] = {}
        self._known: dict[int, _Row] = {}

    def add(self, recorded: _Row) -> str | None:
        """Have a recorded job replayed; returns by which, None for a put."""
        if recorded.uid in self.replayed_by:
            return self.replayed_by[recorded.uid]
        row = self._newest_alike(self._driver(recorded))
        if row.kind not in ("run", "build", "get"):
            return None
        self.replayed_by[recorded.uid] = row.uid
        if row.uid not in self.rows:
            self.rows[row.uid] = row
            self.replayed_by[row.uid] = row.uid
            self._waiting.append(row.uid)
        return row.uid

    def follow(self) -> None:
        """Add what the jobs added so far came from, and so on."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            members = {
                uid: [self.rows[uid].id, *(self.row(task).id for task in family(self._db, uid))]
                for uid in batch
            }
            self._reach(job for jobs in members.values() for job in jobs)
            for uid, jobs in members.items():
                producers = set().union(*(self._producers.get(job, ()) for job in jobs))
                found = {self.add(self._row_of(job)) for job in sorted(producers)}
                self.sources[uid] = {source for source in found if source and source != uid}

    def row(self, uid: str) -> _Row:
        """The row of a job."""
        return _Row(*self._db.execute(f"{_SELECT} WHERE uid = ?", (uid,)).fetchone())

    def _reach(self, jobs: Iterable[int]) -> None:
        """Know the producers of these jobs and of all that they came from."""
        new = [job for job in jobs if job not in self._reached]
        if not new:
            return
        closure = upstream(self._db, new)
        self._reached |= closure.distances.keys()
        for passing in closure.passings:
            if passing.artifact is not None:
                self._producers.setdefault(passing.consumer, set()).add(passing.producer)

    def _row_of(self, job: int) -> _Row:
        if job not in self._known:
            row = self._db.execute(f"{_SELECT} WHERE id = ?", (job,)).fetchone()
            self._known[job] = _Row(*row)
        return self._known[job]

    def _driver(self, row: _Row) -> _Row:
        seen = {row.uid}
        while row.kind == "task" and row.parent is not None and row.parent not in seen:
            row = self.row(row.parent)
            seen.add(row.uid)
        return row

    def _newest_alike(self, row: _Row) -> _Row:
        """The newest standing attempt at the same step that did the same."""
        if row.hash is None or row.step_number is None:
            return row
        alike = self._db.execute(
            f"{_SELECT} WHERE session = ? AND step_number = ? AND hash = ? AND kind = ? "
            "AND undone_at_ns IS NULL ORDER BY attempt DESC LIMIT 1",
            (row.session, row.step_number, row.hash, row.kind),
        ).fetchone()
        return row if alike is None else _Row(*alike)


def _builds(db: sqlite3.Connection, rows: Iterable[_Row]) -> list[str]:
    """The newest succeeded attempt at every build that came before a needed job in its session."""
    last: dict[int, int] = {}
    for row in rows:
        last[row.session] = max(last.get(row.session, 0), row.id)
    found: list[str] = []
    for session, job in last.items():
        found += (
            uid
            for (uid,) in db.execute(
                "SELECT uid FROM job WHERE session = ? AND step_is_build AND id <= ? "
                "AND state = 'succeeded' AND undone_at_ns IS NULL AND NOT EXISTS ("
                " SELECT 1 FROM job later WHERE later.session = job.session"
                " AND later.step_is_build AND later.step_number = job.step_number"
                " AND later.attempt > job.attempt AND later.id <= ?"
                " AND later.state = 'succeeded' AND later.undone_at_ns IS NULL) ORDER BY id",
                (session, job, job),
            )
        )
    return found


def _in_order(walk: _Walk) -> tuple[str, ...]:
    """Producers before consumers, builds first, else as they were started."""
    waiting = {uid: set(walk.sources.get(uid, ())) for uid in walk.rows}
    consumers: dict[str, list[str]] = {}
    for uid, sources in waiting.items():
        for source in sources:
            consumers.setdefault(source, []).append(uid)

    def key(uid: str) -> tuple[bool, int, str]:
        return (walk.rows[uid].kind != "build", walk.rows[uid].id, uid)

    ready = [key(uid) for uid, sources in waiting.items() if not sources]
    heapq.heapify(ready)
    order: list[str] = []
    while waiting:
        # Jobs that ran side by side may have read from each other: then as they were started.
        uid = heapq.heappop(ready)[2] if ready else min(map(key, waiting))[2]
        if waiting.pop(uid, None) is None:
            continue
        order.append(uid)
        for consumer in consumers.get(uid, ()):
            if consumer in waiting:
                waiting[consumer].discard(uid)
                if not waiting[consumer]:
                    heapq.heappush(ready, key(consumer))
    return tuple(order)
