"""The bytes of an artifact, where they are still to be had: roar stores none of its own.

They are looked for at every place the artifact had, in the objects, and in the commits of the jobs;
and are what was asked for only if their digest says so.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from blake3 import blake3

from roar_core.environment.git_diff import content_at
from roar_core.environment.objects import object_path
from roar_core.store.names import from_sql, path_from_sql

if TYPE_CHECKING:
    import sqlite3

    from roar_core.model.job import Edge, Job
    from roar_core.project import Project

_PLACES_MAX = 8


def content_of(
    db: sqlite3.Connection, project: Project, job: Job, edge: Edge, max_bytes: int
) -> bytes | None:
    """What `job` read or wrote by `edge`; None when it is gone, or larger than `max_bytes`."""
    digest = edge.digests.get("blake3")
    if digest is None or edge.kind != "file" or edge.size > max_bytes:
        return None
    for path in _places(db, project, edge, digest):
        content = _read(path, edge.size)
        if content is not None and blake3(content).hexdigest() == digest:
            return content
    for commit in dict.fromkeys((job.git.commit, *_commits(db, digest))):
        content = content_at(edge.path, commit, max_bytes) if commit else None
        if content is not None and blake3(content).hexdigest() == digest:
            return content
    return None


def _places(db: sqlite3.Connection, project: Project, edge: Edge, digest: str) -> Iterator[str]:
    yield edge.path
    yield object_path(os.fspath(project.objects), digest)
    rows = db.execute(
        "SELECT DISTINCT edge.path, job.project, edge.kind FROM artifact"
        " JOIN edge ON edge.artifact = artifact.id JOIN job ON job.id = edge.job"
        " WHERE artifact.blake3 = ? AND edge.kind = 'file' LIMIT ?",
        (bytes.fromhex(digest), _PLACES_MAX),
    )
    for path, root, kind in rows.fetchall():
        yield path_from_sql(path, from_sql(root), kind)


def _commits(db: sqlite3.Connection, digest: str) -> list[str]:
    """The commits of jobs that read these bytes, newest first."""
    rows = db.execute(
        "SELECT DISTINCT job.git_commit FROM artifact JOIN edge ON edge.artifact = artifact.id"
        " AND edge.direction = 0 JOIN job ON job.id = edge.job"
        " WHERE artifact.blake3 = ? ORDER BY job.id DESC LIMIT ?",
        (bytes.fromhex(digest), _PLACES_MAX),
    )
    return [commit for (commit,) in rows if commit]


def _read(path: str, size: int) -> bytes | None:
    """A regular file of exactly this size."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a name may hold any bytes
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return None
        with open(path, "rb") as file:  # noqa: PTH123 - a name may hold any bytes
            return file.read(size + 1)
    except (OSError, ValueError):
        return None
