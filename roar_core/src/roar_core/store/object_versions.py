"""How stores call the bytes of objects, version and etag, and which of them were read."""

from __future__ import annotations

import json
import sqlite3

from roar_core.model.job import Job
from roar_core.store.database import Database
from roar_core.store.rows import INPUT, OUTPUT


class ObjectVersions(Database):
    """What was learnt of objects."""

    def blake3_of_object(self, url: str, version: str | None, etag: str | None) -> str | None:
        """BLAKE3 hex of the bytes that an object had in this version, when a job has told."""
        if version is None and etag is None:
            return None
        with self.reading() as db:
            row = db.execute(
                "SELECT artifact.blake3 FROM edge JOIN object_version told ON told.edge = edge.id "
                "JOIN artifact ON artifact.id = edge.artifact WHERE edge.path = ? "
                "AND told.version IS ? AND told.etag IS ? AND blake3 IS NOT NULL "
                "ORDER BY edge.id DESC LIMIT 1",
                (url, version, etag),
            ).fetchone()
        return None if row is None else row[0].hex()


def insert_versions(db: sqlite3.Connection, job_id: int, job: Job) -> None:
    """Keep the versions of a job's objects, once its edges are there."""
    told = [
        (edge.version, edge.etag, ranges_to_sql(edge.ranges), job_id, direction, edge.path)
        for direction, side in ((INPUT, job.inputs), (OUTPUT, job.outputs))
        for edge in side
        if edge.version is not None or edge.etag is not None or edge.ranges
    ]
    db.executemany(
        "INSERT OR IGNORE INTO object_version SELECT id, ?, ?, ? FROM edge "
        "WHERE job = ? AND direction = ? AND path = ?",
        told,
    )


def ranges_to_sql(ranges: tuple[tuple[int, int], ...]) -> str | None:
    """What a column holds of the ranges that were read, NULL for none."""
    return json.dumps(ranges, separators=(",", ":")) if ranges else None


def ranges_from_sql(told: str | None) -> tuple[tuple[int, int], ...]:
    return tuple((first, end) for first, end in json.loads(told)) if told else ()
