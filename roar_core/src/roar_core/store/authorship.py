"""Which jobs wrote what is at a path, as a file of its own or as a member of a dataset."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from roar_core.store.composites import members_of
from roar_core.store.rows import path_to_sql


class Authors:
    """Asks, of many paths, which jobs besides one wrote certain bytes there."""

    def __init__(self, db: sqlite3.Connection, besides: str, project: str) -> None:
        self._db = db
        self._project = project
        row = db.execute("SELECT id FROM job WHERE uid = ?", (besides,)).fetchone()
        self._besides = -1 if row is None else row[0]
        self._members: dict[int, dict[bytes, bytes]] = {}

    def other(self, path: str, digest: str) -> str | None:
        """The uid of the newest other standing job that wrote these bytes (BLAKE3 hex) here."""
        raw = bytes.fromhex(digest)
        found = self._db.execute(
            "SELECT job.uid FROM edge JOIN artifact ON artifact.id = edge.artifact "
            "JOIN job ON job.id = edge.job WHERE edge.path = ? AND edge.direction = 1 "
            "AND artifact.blake3 = ? AND job.id <> ? AND job.undone_at_ns IS NULL "
            "ORDER BY job.id DESC LIMIT 1",
            (path_to_sql(path, self._project), raw, self._besides),
        ).fetchone()
        return str(found[0]) if found else self._other_dataset(path, raw)

    def _other_dataset(self, path: str, digest: bytes) -> str | None:
        root = path
        while "/" in root.strip("/"):
            root = root.rpartition("/")[0]
            name = path[len(root) + 1 :].encode("utf-8", "surrogateescape")
            for edge, artifact, bitmap, uid in self._datasets_at(root):
                if self._written(edge, artifact, bitmap).get(name) == digest:
                    return uid
        return None

    def _datasets_at(self, root: str) -> Iterator[tuple[int, int, bytes | None, str]]:
        yield from self._db.execute(
            "SELECT edge.id, edge.artifact, used.bitmap, job.uid FROM edge "
            "JOIN composite_use used ON used.edge = edge.id JOIN job ON job.id = edge.job "
            "WHERE edge.path = ? AND edge.direction = 1 AND edge.kind = 'composite' "
            "AND job.id <> ? AND job.undone_at_ns IS NULL ORDER BY job.id DESC",
            (path_to_sql(root, self._project), self._besides),
        )

    def _written(self, edge: int, artifact: int, bitmap: bytes | None) -> dict[bytes, bytes]:
        if edge not in self._members:
            members = members_of(self._db, artifact)
            self._members[edge] = dict(members.pairs(bitmap)) if members else {}
        return self._members[edge]


def newest_job(db: sqlite3.Connection) -> str | None:
    """The uid of the job of the active session that was started last and stands; None for none.

    Jobs below another are their parent's.
    """
    row = db.execute(
        "SELECT uid FROM job WHERE session = (SELECT max(id) FROM session) "
        "AND undone_at_ns IS NULL AND parent IS NULL ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else str(row[0])


def written_members(
    db: sqlite3.Connection, uid: str, path: str, project: str
) -> list[tuple[str, str, str]] | None:
    """(name, BLAKE3 hex, kind) of the members of the dataset at `path` that a job wrote.

    None when only a filter of them is kept.
    """
    row = db.execute(
        "SELECT edge.artifact, used.bitmap FROM edge JOIN job ON job.id = edge.job "
        "JOIN composite_use used ON used.edge = edge.id "
        "WHERE job.uid = ? AND edge.direction = 1 AND edge.path = ?",
        (uid, path_to_sql(path, project)),
    ).fetchone()
    members = None if row is None else members_of(db, row[0])
    if members is None:
        return None
    written = {name for name, _ in members.pairs(row[1])}
    return [
        (member.path, member.digest, member.kind)
        for member in members
        if member.path.encode("utf-8", "surrogateescape") in written
    ]
