"""Bring jobs that were recorded elsewhere into the session database. Importing twice adds nothing.

Imported sessions, jobs and edges have negative ids: whatever asks for the newest finds what was
recorded here first, and a job here that read what an imported one wrote has it as a producer. A
job known already, by its uid, stays as it is.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import attrs

from roar_core.errors import RoarError
from roar_core.model.job import Edge, Job
from roar_core.store.edges import artifacts_of, insert_edges, resolve_missing
from roar_core.store.foreign import ForeignArtifact, ForeignJob, ForeignSession
from roar_core.store.foreign_datasets import add_dataset, add_edges_of_datasets
from roar_core.store.labels import read_labels, write_labels
from roar_core.store.needs import insert_known_needs
from roar_core.store.object_versions import insert_versions
from roar_core.store.rows import path_to_sql, to_sql, unhex
from roar_core.store.ties import tie_inputs
from roar_core.store.writer import job_columns

if TYPE_CHECKING:
    from roar_core.store.writer import Store


class Imported(NamedTuple):
    """How much was new, how many jobs were known, and the numbers of the new sessions."""

    jobs: int
    known: int
    artifacts: int
    sessions: tuple[int, ...]


class Importer:
    """One import, inside one transaction of `db`."""

    def __init__(
        self, db: sqlite3.Connection, now_ns: int, uids: Iterable[str], edges: int
    ) -> None:
        """`uids` are those of all jobs to come, `edges` how many edges they have at most."""
        self._db = db
        self._now_ns = now_ns
        # The active session is the newest one: it must be one of this project.
        if not db.execute("SELECT 1 FROM session WHERE id > 0").fetchone():
            db.execute("INSERT INTO session (id, started_at_ns) VALUES (1, ?)", (now_ns,))
        uids = frozenset(uids)
        known = {uid for uid in uids if self._id_of(uid) is not None}
        self._known = len(known)
        new = len(uids) - len(known)
        self._first = self._lowest("job") - new
        self._next_job = self._first
        self._next_edge = self._lowest("edge") - edges
        self._artifacts = 0
        self._sessions: list[int] = []
        self._brings_datasets = False
        self._needs: list[tuple[int, int, tuple[str, ...]]] = []
        # Two machines' clocks: what was started may seem to have begun before what started it, and
        # a reader before the job whose bytes it read.
        self._to_come = set(uids) - known
        self._waiting: dict[str, list[tuple[ForeignJob, ForeignSession]]] = defaultdict(list)
        self._unnamed: list[tuple[int, Job]] = []

    def add_artifact(self, artifact: ForeignArtifact) -> None:
        """Bytes that jobs to come read or wrote. Raises RoarError when a dataset is another."""
        newest = self._db.execute("SELECT max(id) FROM artifact").fetchone()[0] or 0
        edge = Edge("", artifact.size, artifact.digests)
        [row] = artifacts_of(self._db, [edge], artifact.first_seen_ns)
        assert row is not None
        self._artifacts += row > newest
        if artifact.layout is not None:
            self._brings_datasets = True
            add_dataset(self._db, row, artifact)
        if artifact.labels and not read_labels(self._db, "artifact", row):
            write_labels(self._db, "artifact", row, artifact.labels, self._now_ns)

    def add_job(self, foreign: ForeignJob, session: ForeignSession) -> None:
        """A job; what it read and wrote is known. One that is known already is passed over.

        One that came before the job that started it waits for that.
        """
        ready = [(foreign, session)]
        while ready:
            foreign, session = ready.pop()
            if foreign.job.parent in self._to_come:
                self._waiting[foreign.job.parent].append((foreign, session))
                continue
            self._add_job(foreign, session)
            self._to_come.discard(foreign.job.uid)
            ready += reversed(self._waiting.pop(foreign.job.uid, []))

    def _add_job(self, foreign: ForeignJob, session: ForeignSession) -> None:
        job = foreign.job
        if self._id_of(job.uid) is not None:
            return
        db, job_id = self._db, self._next_job
        self._next_job += 1
        number = self._session(session)
        has_place = job.step is not None and self._is_free(number, job)
        columns = job_columns(
            db,
            attrs.evolve(
                job,
                session=number,
                step=job.step if has_place else None,
                rerun_of=self._if_known(job.rerun_of),
                parent=self._if_known(job.parent),
            ),
        ) | {"id": job_id, "hash": unhex(job.hash)}
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        db.execute(f"INSERT INTO job ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608
        self._renumber_edges(job_id, insert_edges(db, job_id, job))
        add_edges_of_datasets(db, job_id, foreign)
        insert_versions(db, job_id, job)
        self._add_producers(job_id, job)
        named = [uid for edge in job.inputs for uid in (edge.producer, *edge.further_producers)]
        if not self._to_come.isdisjoint(filter(None, (job.rerun_of, *named))):
            self._unnamed.append((job_id, job))
        db.executemany(
            "INSERT INTO tracker_reference (job, tracker, run_id, project, entity, name, url, host,"
            " title) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(job_id, *map(to_sql, attrs.astuple(reference))) for reference in job.trackers],
        )
        write_labels(db, "job", job_id, job.labels, self._now_ns)
        driver = self._id_of(job.parent) if job.parent else None
        if foreign.task is not None and driver is not None:
            db.execute(
                "INSERT OR IGNORE INTO task (job, driver, backend, task, attempt, place, role, "
                "grouped, is_declared) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (job_id, driver, *foreign.task),
            )
        if foreign.needs:
            self._needs.append((job_id, job_id if driver is None else driver, foreign.needs))

    def finish(self) -> Imported:
        """Tie what was here to what has come, and say what that is."""
        while self._waiting:  # only what is said to have started itself, in a circle, still waits
            uid = next(iter(self._waiting))
            self._to_come.discard(uid)
            for foreign, session in self._waiting.pop(uid):
                self.add_job(foreign, session)
        for job_id, incoming in self._unnamed:
            rerun_of = self._if_known(incoming.rerun_of)
            self._db.execute("UPDATE job SET rerun_of = ? WHERE id = ?", (rerun_of, job_id))
            self._add_producers(job_id, incoming)
        last = self._next_job - 1
        for job, driver, uids in self._needs:  # a driver comes before the tasks it names
            makers = [maker for uid in uids if (maker := self._id_of(uid)) is not None]
            insert_known_needs(self._db, job, driver, makers)
        if last >= self._first:
            resolve_missing(
                self._db,
                "artifact IN (SELECT artifact FROM edge made WHERE made.direction = 1 "
                "AND made.job BETWEEN ? AND ? AND made.artifact IS NOT NULL)",
                *(self._first, last),
            )
            if self._brings_datasets:
                self._tie_members()
        return Imported(last - self._first + 1, self._known, self._artifacts, tuple(self._sessions))

    def _tie_members(self) -> None:
        """Datasets here, or files, of which members were made elsewhere."""
        readers = self._db.execute(
            "SELECT DISTINCT job FROM edge JOIN job ON job.id = edge.job WHERE edge.direction = 0 "
            "AND edge.producer IS NULL AND edge.artifact IS NOT NULL AND edge.job > 0 "
            "AND job.undone_at_ns IS NULL"
        ).fetchall()
        for (reader,) in readers:
            tie_inputs(self._db, reader)

    def _session(self, session: ForeignSession) -> int:
        row = self._db.execute(
            "SELECT session FROM imported_session WHERE origin = ?", (session.origin,)
        ).fetchone()
        if row is not None:
            return int(row[0])
        number = self._lowest("session") - 1
        self._db.execute("INSERT INTO session VALUES (?, ?)", (number, session.started_at_ns))
        self._db.execute(
            "INSERT INTO imported_session VALUES (?, ?, ?, ?)",
            (number, session.origin, session.number, self._now_ns),
        )
        self._sessions.append(number)
        return number

    def _lowest(self, table: str) -> int:
        """The lowest id of a table, 0 when none is negative."""
        lowest = self._db.execute(f"SELECT min(id) FROM {table}").fetchone()[0]  # noqa: S608
        return min(0, lowest or 0)

    def _if_known(self, uid: str | None) -> str | None:
        return uid if uid is not None and self._id_of(uid) is not None else None

    def _id_of(self, uid: str) -> int | None:
        row = self._db.execute("SELECT id FROM job WHERE uid = ?", (uid,)).fetchone()
        return None if row is None else int(row[0])

    def _is_free(self, session: int, job: Job) -> bool:
        assert job.step is not None
        row = self._db.execute(
            "SELECT 1 FROM job WHERE session = ? AND step_is_build = ? AND step_number = ? "
            "AND attempt = ?",
            (session, job.step.is_build, job.step.number, job.step.attempt),
        ).fetchone()
        return row is None

    def _renumber_edges(self, job_id: int, count: int) -> None:
        if not count:
            return
        first = self._db.execute("SELECT min(id) FROM edge WHERE job = ?", (job_id,)).fetchone()[0]
        self._db.execute(
            "UPDATE edge SET id = id + ? WHERE job = ?", (self._next_edge - first, job_id)
        )
        self._next_edge += count

    def _add_producers(self, job_id: int, job: Job) -> None:
        """The producers that the graph names, where they are known; else those known here."""
        self._db.execute(
            "UPDATE edge SET producer = NULL WHERE job = ? AND direction = 0", (job_id,)
        )
        for edge in job.inputs:
            makers = [self._id_of(uid) for uid in (edge.producer, *edge.further_producers) if uid]
            known = [maker for maker in makers if maker is not None and maker != job_id]
            if not known:
                continue
            path = path_to_sql(edge.path, job.project, is_object=edge.kind == "object")
            rows = self._db.execute(
                "SELECT edge.id FROM edge LEFT JOIN artifact ON artifact.id = edge.artifact "
                "WHERE edge.job = ? AND direction = 0 AND path = ? AND blake3 IS ?",
                (job_id, path, _blake3(edge)),
            ).fetchall()
            for (row,) in rows:
                self._db.execute("UPDATE edge SET producer = ? WHERE id = ?", (known[0], row))
                self._db.executemany(
                    "INSERT OR IGNORE INTO composite_source VALUES (?, ?)",
                    [(row, maker) for maker in known[1:]],
                )
        resolve_missing(self._db, "job = ?", job_id)


def import_jobs(
    store: Store,
    sessions: Mapping[str, ForeignSession],
    artifacts: Iterable[ForeignArtifact],
    jobs: Iterable[ForeignJob],
    *,
    uids: Iterable[str],
    edges: int,
    now_ns: int,
) -> Imported:
    """Import artifacts, then jobs, each after those it names; all of it or nothing.

    Raises RoarError for what contradicts itself.
    """
    with store.writing() as db:
        importer = Importer(db, now_ns, list(uids), edges)
        for artifact in artifacts:
            importer.add_artifact(artifact)
        for job in jobs:
            session = sessions.get(job.origin)
            if session is None:
                raise RoarError(f"the graph does not say what the session {job.origin!r} is")
            importer.add_job(job, session)
        return importer.finish()


def _blake3(edge: Edge) -> bytes | None:
    value = edge.digests.get("blake3")
    return None if value is None else bytes.fromhex(value)
