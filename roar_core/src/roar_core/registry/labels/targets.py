"""Where something is registered that has labels: what the protocol calls it, session by session."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from roar_core.registry.labels.documents import artifact_name, digest_of
from roar_core.registry.scopes import ANONYMOUS
from roar_core.store.labels import EntityKind

if TYPE_CHECKING:
    import sqlite3

_WORDS = {"session": "dag", "job": "job", "artifact": "artifact"}


@attrs.frozen
class Target:
    """A job, an artifact or a whole session in one registered session.

    `kind` and `entity` are the database's, `entity` None for what is not recorded here.
    """

    kind: EntityKind
    entity: int | None
    session_hash: str
    job_uid: str | None = None
    artifact_hash: str | None = None

    @property
    def named(self) -> dict[str, str]:
        """The protocol's name of it, as a body or a query has it."""
        found = {"entity_type": _WORDS[self.kind], "session_hash": self.session_hash}
        if self.job_uid is not None:
            found["job_uid"] = self.job_uid
        if self.artifact_hash is not None:
            found["artifact_hash"] = self.artifact_hash
        return {name: value for name, value in found.items() if value}

    @property
    def words(self) -> str:
        """What people call it."""
        name = self.job_uid or self.artifact_hash
        return f"{self.kind} {(name or self.session_hash)[:12]}"


def targets_of(
    db: sqlite3.Connection, registry: str, kind: EntityKind, entity: int
) -> list[Target]:
    """Where one thing is registered in somebody's name; what was learnt last comes first.

    What was registered anonymously is nobody's, and so are its labels.
    """
    if kind == "artifact":
        name = artifact_name(db, entity)
        query = "SELECT job, direction FROM edge WHERE artifact = ?"
    else:
        name = None
        query = (
            "SELECT id, 1 FROM job WHERE id = ?"
            if kind == "job"
            else "SELECT id, 1 FROM job WHERE session = ?"
        )
    rows = db.execute(
        # What made an artifact says more of it than what read it.
        f"WITH near (job, direction) AS ({query}) "  # noqa: S608 - one of three above
        "SELECT session_hash, job.uid FROM near "
        "JOIN receipt ON receipt.job = near.job JOIN job ON job.id = near.job "
        "WHERE registry = ? AND owner <> ? "
        "GROUP BY session_hash ORDER BY max(direction) DESC, max(learnt_at_ns) DESC, session_hash",
        (entity, registry, ANONYMOUS),
    ).fetchall()
    return [
        Target(
            kind,
            entity,
            session_hash,
            uid if kind == "job" else None,
            digest_of(name) if name else None,
        )
        for session_hash, uid in rows
    ]


def labelled_targets(db: sqlite3.Connection, registry: str) -> Iterator[Target]:
    """Everything registered there that has labels here, or had some when the two last agreed."""
    rows: list[Any] = db.execute(
        "SELECT entity_type, entity FROM label UNION SELECT entity_type, entity FROM label_agreed "
        "WHERE registry = ? ORDER BY entity_type, entity",
        (registry,),
    ).fetchall()
    for kind, entity in rows:
        yield from targets_of(db, registry, kind, entity)


def is_registered(db: sqlite3.Connection, registry: str) -> bool:
    """Whether anything here is registered there in somebody's name."""
    query = "SELECT EXISTS (SELECT 1 FROM receipt WHERE registry = ? AND owner <> ?)"
    return bool(db.execute(query, (registry, ANONYMOUS)).fetchone()[0])


def jobs_of(db: sqlite3.Connection, uids: Iterable[str]) -> dict[str, int]:
    """The ids of jobs, by uid."""
    query = "SELECT uid, id FROM job WHERE uid IN (SELECT value FROM json_each(?))"
    return dict(db.execute(query, (json.dumps(list(uids)),)))
