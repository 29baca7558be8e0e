"""Questions about jobs and sessions. Undone jobs are left out unless asked for."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from roar_core.errors import NotFoundError
from roar_core.model.job import Edge, Job
from roar_core.model.tracker import TrackerReference
from roar_core.store.composites import use_from_row
from roar_core.store.database import Database
from roar_core.store.object_versions import ranges_from_sql
from roar_core.store.rows import (
    INPUT,
    JOB_COLUMNS,
    environment_from_json,
    from_sql,
    job_from_row,
    optional_name,
    packages_from_json,
    path_from_sql,
)
from roar_core.store.sources import sources_from_blob

if TYPE_CHECKING:
    from roar_core.store.found import JobSummary, SessionSummary

_STANDING = "job.undone_at_ns IS NULL"


class Jobs(Database):
    """Jobs by uid and by session."""

    def job(self, uid: str) -> Job:
        """Return the job with this full uid, edges and all. Raises NotFoundError."""
        with self.snapshot() as db:
            jobs = full_jobs(db, "job.uid = ?", uid)
        if not jobs:
            raise NotFoundError(f"no job {uid} is recorded here")
        return jobs[0]

    def jobs_by_id(self, jobs: Iterable[int]) -> dict[int, Job]:
        """Return the jobs with these ids of the database, edges and all."""
        wanted = json.dumps(list(jobs))
        where = "job.id IN (SELECT value FROM json_each(?))"
        with self.snapshot() as db:
            ids = dict(db.execute(f"SELECT uid, id FROM job WHERE {where}", (wanted,)))  # noqa: S608
            return {ids[job.uid]: job for job in full_jobs(db, where, wanted)}

    def has_job(self, uid: str) -> bool:
        """Whether a job with this full uid is recorded, in whatever state."""
        with self.reading() as db:
            return db.execute("SELECT 1 FROM job WHERE uid = ?", (uid,)).fetchone() is not None

    def jobs_of_session(
        self, session: int | None = None, *, include_undone: bool = False
    ) -> list[Job]:
        """Return a session's jobs with everything, oldest first; None is the active session."""
        with self.snapshot() as db:
            session = active_session(db) if session is None else session
            where = "job.session = ?" if include_undone else f"job.session = ? AND {_STANDING}"
            return full_jobs(db, where, session)

    def summaries(
        self, session: int | None = None, *, include_undone: bool = False, limit: int = -1
    ) -> list[JobSummary]:
        """Return the newest `limit` jobs of a session, oldest first, without their edges."""
        with self.reading() as db:
            session = active_session(db) if session is None else session
            where = "job.session = ?" if include_undone else f"job.session = ? AND {_STANDING}"
            return summaries_where(db, f"{where} ORDER BY job.id DESC LIMIT ?", session, limit)[
                ::-1
            ]

    def sessions(self) -> list[SessionSummary]:
        """Return all sessions in numbers, oldest first."""
        from roar_core.store.found import SessionSummary

        with self.reading() as db:
            return [SessionSummary(*row) for row in db.execute(_SESSIONS.format("1"))]

    def session_summary(self, session: int | None = None) -> SessionSummary:
        """Return one session in numbers; None is the active one. Raises NotFoundError."""
        from roar_core.store.found import SessionSummary

        with self.reading() as db:
            number = active_session(db) if session is None else session
            row = db.execute(_SESSIONS.format("session.id = ?"), (number,)).fetchone()
        if row is None:
            raise NotFoundError(f"no session {session}" if session else "no session has begun here")
        return SessionSummary(*row)


# A session without jobs has one row whose job columns are all NULL.
_SESSIONS = """
    SELECT session.id, session.started_at_ns, max(job.started_at_ns),
           count(standing.id), count(DISTINCT standing.step_number * 2 + standing.step_is_build),
           count(CASE standing.state WHEN 'running' THEN 1 END),
           count(CASE standing.state WHEN 'succeeded' THEN 1 END),
           count(CASE standing.state WHEN 'failed' THEN 1 END),
           count(CASE standing.state WHEN 'interrupted' THEN 1 END),
           count(job.undone_at_ns)
    FROM session LEFT JOIN job ON job.session = session.id
    LEFT JOIN job standing ON standing.id = job.id AND job.undone_at_ns IS NULL
    WHERE {} GROUP BY session.id ORDER BY session.id
"""


def active_session(db: sqlite3.Connection) -> int | None:
    """Return the newest session, None before the first job."""
    newest: int | None = db.execute("SELECT max(id) FROM session").fetchone()[0]
    return newest


def summaries_where(db: sqlite3.Connection, where: str, *values: Any) -> list[JobSummary]:
    """Return the jobs that an SQL condition of ours picks, without their edges."""
    from roar_core.store.found import JobSummary

    rows = db.execute(
        f"SELECT job.input_count, job.output_count, {JOB_COLUMNS} FROM job WHERE {where}",  # noqa: S608
        values,
    )
    return [JobSummary(job_from_row(row[2:]), row[0], row[1]) for row in rows]


def full_jobs(db: sqlite3.Connection, where: str, value: Any) -> list[Job]:
    """Return the jobs that an SQL condition of ours picks, with everything, oldest first."""
    rows = db.execute(
        "SELECT job.id, package_set.content, environment.content, source_set.content, "  # noqa: S608
        f"{JOB_COLUMNS} FROM job "
        "LEFT JOIN job_source ON job_source.job = job.id "
        "LEFT JOIN source_set ON source_set.id = job_source.source_set "
        "LEFT JOIN package_set ON package_set.id = job.package_set "
        f"LEFT JOIN environment ON environment.id = job.environment WHERE {where} ORDER BY job.id",
        (value,),
    ).fetchall()
    edges = _edges(db, where, value)
    trackers = _trackers(db, where, value)
    labels = _labels(db, where, value)
    nothing: tuple[list[Edge], list[Edge]] = ([], [])
    jobs = []
    for job_id, packages, environment, sources, *columns in rows:
        inputs, outputs = edges.get(job_id, nothing)
        jobs.append(
            job_from_row(
                tuple(columns),
                inputs=tuple(inputs),
                outputs=tuple(outputs),
                packages=packages_from_json(packages),
                environment=environment and environment_from_json(environment),
                sources=sources_from_blob(sources),
                trackers=tuple(trackers[job_id]),
                labels=labels.get(job_id) or {},
            )
        )
    return jobs


def _edges(
    db: sqlite3.Connection, where: str, value: Any
) -> dict[int, tuple[list[Edge], list[Edge]]]:
    further: dict[int, dict[str, str]] = defaultdict(dict)
    for artifact, algorithm, digest in db.execute(
        "SELECT digest.artifact, algorithm, value FROM digest WHERE artifact IN "  # noqa: S608
        f"(SELECT edge.artifact FROM edge JOIN job ON job.id = edge.job WHERE {where})",
        (value,),
    ):
        further[artifact][algorithm] = digest
    sources: dict[int, list[str]] = defaultdict(list)
    for edge_id, uid in db.execute(
        "SELECT source.edge, maker.uid FROM job JOIN edge ON edge.job = job.id "  # noqa: S608
        "JOIN composite_source source ON source.edge = edge.id "
        f"JOIN job maker ON maker.id = source.job WHERE {where} ORDER BY maker.id DESC",
        (value,),
    ):
        sources[edge_id].append(uid)
    edges: dict[int, tuple[list[Edge], list[Edge]]] = {}
    for (
        job_id,
        project,
        direction,
        path,
        size,
        kind,
        hash_state,
        artifact,
        blake3,
        producer,
        edge_id,
        version,
        etag,
        ranges,
        *use,
    ) in db.execute(
        "SELECT job.id, job.project, edge.direction, edge.path, edge.size, edge.kind, "  # noqa: S608
        "edge.hash_state, edge.artifact, artifact.blake3, maker.uid, edge.id, "
        "told.version, told.etag, told.ranges, "
        "composite.layout, used.touched, used.members, used.is_whole "
        "FROM job CROSS JOIN edge ON edge.job = job.id "
        "LEFT JOIN artifact ON artifact.id = edge.artifact "
        "LEFT JOIN object_version told ON told.edge = edge.id "
        "LEFT JOIN composite_use used ON used.edge = edge.id "
        "LEFT JOIN composite ON composite.artifact = edge.artifact "
        f"LEFT JOIN job maker ON maker.id = edge.producer WHERE {where} ORDER BY edge.path",
        (value,),
    ):
        digests = further.get(artifact, {})
        if blake3 is not None:
            digests = {"blake3": blake3.hex(), **digests}
        place = path_from_sql(path, from_sql(project), kind)
        edge = Edge(
            *(place, size, digests, kind, hash_state, producer),
            further_producers=tuple(sources.get(edge_id, ())),
            composite=use_from_row(*use),
            version=version,
            etag=etag,
            ranges=ranges_from_sql(ranges),
        )
        edges.setdefault(job_id, ([], []))[direction != INPUT].append(edge)
    return edges


def _trackers(db: sqlite3.Connection, where: str, value: Any) -> dict[int, list[TrackerReference]]:
    trackers: dict[int, list[TrackerReference]] = defaultdict(list)
    for job_id, tracker, *fields in db.execute(
        "SELECT r.job, r.tracker, r.run_id, r.project, r.entity, r.name, r.url, r.host, r.title "  # noqa: S608
        f"FROM tracker_reference r JOIN job ON job.id = r.job WHERE {where} ORDER BY 2, 3",
        (value,),
    ):
        trackers[job_id].append(TrackerReference(from_sql(tracker), *map(optional_name, fields)))
    return trackers


def _labels(db: sqlite3.Connection, where: str, value: Any) -> dict[int, dict[str, Any]]:
    """The newest labels of each job; of several versions SQLite tells the row of the greatest."""
    return {
        job_id: json.loads(metadata)
        for job_id, metadata, _ in db.execute(
            "SELECT job.id, label.metadata, max(label.version) FROM job "  # noqa: S608
            "CROSS JOIN label ON label.entity_type = 'job' AND label.entity = job.id "
            f"WHERE {where} GROUP BY job.id",
            (value,),
        )
    }
