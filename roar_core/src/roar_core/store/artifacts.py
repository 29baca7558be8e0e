"""Questions about artifacts and paths. Undone jobs are left out."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from roar_core.errors import NotFoundError
from roar_core.model.job import Edge, Job, Step
from roar_core.store.composites import use_from_row
from roar_core.store.jobs import Jobs
from roar_core.store.rows import (
    INPUT,
    JOB_COLUMNS,
    OUTPUT,
    from_sql,
    job_from_row,
    path_from_sql,
    path_to_sql,
    unhex,
)

if TYPE_CHECKING:
    from roar_core.store.found import ArtifactInfo, CompositeInfo, PathHistory, Use


class Artifacts(Jobs):
    """Artifacts by hash, and what happened to a path."""

    def artifact(self, name: str) -> ArtifactInfo:
        """Return the artifact of an `<algorithm>:<value>` or BLAKE3 hex. Raises NotFoundError."""
        algorithm, _, value = name.rpartition(":")
        with self.snapshot() as db:
            for artifact in artifacts_by_digest(db, algorithm or "blake3", value):
                return artifact_info(db, artifact)
        raise NotFoundError(f"no artifact {name} is recorded here")

    def history_of_path(self, path: str, project: str) -> PathHistory:
        """Return who read and wrote an absolute path or URL, newest first; may be empty."""
        from roar_core.store.found import JobSummary, PathEvent, PathHistory

        stored = path_to_sql(path, project, is_object="://" in path)
        with self.snapshot() as db:
            events = []
            for row in db.execute(
                "SELECT edge.direction, edge.size, edge.kind, edge.hash_state, edge.artifact, "  # noqa: S608
                "maker.uid, job.input_count, job.output_count, composite.layout, used.touched, "
                f"used.members, used.is_whole, {JOB_COLUMNS} "
                "FROM edge JOIN job ON job.id = edge.job "
                "LEFT JOIN job maker ON maker.id = edge.producer "
                "LEFT JOIN composite_use used ON used.edge = edge.id "
                "LEFT JOIN composite ON composite.artifact = edge.artifact "
                "WHERE edge.path = ? AND job.undone_at_ns IS NULL ORDER BY edge.id DESC",
                (stored,),
            ):
                direction, size, kind, hash_state, artifact, producer, inputs, outputs = row[:8]
                digests = _digests(db, artifact)
                use = use_from_row(*row[8:12])
                edge = Edge(path, size, digests, kind, hash_state, producer, composite=use)
                summary = JobSummary(job_from_row(row[12:]), inputs, outputs)
                events.append(PathEvent(summary, "input" if direction == INPUT else "output", edge))
        return PathHistory(path, tuple(events))

    def producer_of_path(self, path: str, project: str) -> Job | None:
        """Return the newest job that wrote an absolute path, edges and all."""
        stored = path_to_sql(path, project, is_object="://" in path)
        with self.snapshot() as db:
            row = db.execute(
                "SELECT job.uid FROM edge JOIN job ON job.id = edge.job WHERE edge.path = ? "
                "AND edge.direction = ? AND job.undone_at_ns IS NULL ORDER BY edge.id DESC LIMIT 1",
                (stored, OUTPUT),
            ).fetchone()
            return None if row is None else self.job(row[0])

    def is_output(self, path: str) -> bool:
        """Whether a job not undone wrote this absolute path, in the project around the database.

        A file below a dataset that was written counts as written.
        """
        project = str(self.path.parent.parent)
        with self.reading() as db:
            if _is_written(db, path_to_sql(path, project)):
                return True
            if not db.execute("SELECT 1 FROM composite LIMIT 1").fetchone():
                return False
            above = path
            while above.startswith(f"{project}/"):
                above = above.rpartition("/")[0]
                if _is_written(db, path_to_sql(above, project)):
                    return True
        return False


def _is_written(db: sqlite3.Connection, stored: str | bytes) -> bool:
    row = db.execute(
        "SELECT 1 FROM edge JOIN job ON job.id = edge.job WHERE edge.path = ? "
        "AND edge.direction = ? AND job.undone_at_ns IS NULL LIMIT 1",
        (stored, OUTPUT),
    ).fetchone()
    return row is not None


def artifacts_by_digest(db: sqlite3.Connection, algorithm: str, prefix: str) -> list[int]:
    """Return the artifacts whose digest starts with `prefix`, at most six."""
    if algorithm == "blake3":
        first, last = prefix_range(prefix)
        rows = db.execute(
            "SELECT id FROM artifact WHERE blake3 BETWEEN ? AND ? LIMIT 6", (first, last)
        )
    else:
        rows = db.execute(
            "SELECT DISTINCT artifact FROM digest WHERE algorithm = ? AND value >= ? AND value < ? "
            "LIMIT 6",
            (algorithm, prefix, prefix + "\U0010ffff"),
        )
    return [row[0] for row in rows]


def prefix_range(prefix: str) -> tuple[bytes | None, bytes | None]:
    """Return the smallest and largest digest that start with hex `prefix`; None when none does."""
    try:
        return unhex(prefix.ljust(64, "0")), unhex(prefix.ljust(64, "f"))
    except ValueError:
        return None, None


def artifact_info(db: sqlite3.Connection, artifact: int) -> ArtifactInfo:
    """Return everything known about an artifact's row."""
    from roar_core.store.found import ArtifactInfo

    size, first_seen_ns = db.execute(
        "SELECT size, first_seen_ns FROM artifact WHERE id = ?", (artifact,)
    ).fetchone()
    digests = _digests(db, artifact)
    best = "blake3" if "blake3" in digests else next(iter(digests))
    return ArtifactInfo(
        hash=f"{best}:{digests[best]}",
        size=size,
        digests=digests,
        first_seen_ns=first_seen_ns,
        producers=_uses(db, artifact, OUTPUT),
        consumers=_uses(db, artifact, INPUT),
        composite=_composite(db, artifact),
    )


def _composite(db: sqlite3.Connection, artifact: int) -> CompositeInfo | None:
    from roar_core.store.found import CompositeInfo

    row = db.execute(
        "SELECT layout, member_count, paths IS NOT NULL FROM composite WHERE artifact = ?",
        (artifact,),
    ).fetchone()
    return None if row is None else CompositeInfo(row[0], row[1], bool(row[2]))


def _digests(db: sqlite3.Connection, artifact: int | None) -> dict[str, str]:
    """Return an artifact's digests by algorithm, blake3 first."""
    digests: dict[str, str] = {}
    row = db.execute("SELECT blake3 FROM artifact WHERE id = ?", (artifact,)).fetchone()
    if row and row[0] is not None:
        digests["blake3"] = row[0].hex()
    further: list[Any] = db.execute(
        "SELECT algorithm, value FROM digest WHERE artifact = ? ORDER BY 1", (artifact,)
    ).fetchall()
    return digests | dict(further)


def _uses(db: sqlite3.Connection, artifact: int, direction: int) -> tuple[Use, ...]:
    from roar_core.store.found import Use

    rows = db.execute(
        "SELECT job.uid, job.session, job.step_number, job.step_is_build, job.attempt, "
        "job.project, edge.path, edge.kind FROM edge JOIN job ON job.id = edge.job "
        "WHERE edge.artifact = ? AND edge.direction = ? AND job.undone_at_ns IS NULL "
        "ORDER BY edge.job DESC, edge.path",
        (artifact, direction),
    )
    return tuple(
        Use(
            uid,
            session,
            None if number is None else Step(number, bool(is_build), attempt),
            path_from_sql(path, from_sql(project), kind),
            kind,
        )
        for uid, session, number, is_build, attempt, project, path, kind in rows
    )
