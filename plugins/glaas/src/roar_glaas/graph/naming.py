"""What a reference may name: sessions, jobs and artifacts, all that begin so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import digest_text, is_hexadecimal
from roar_glaas.errors import Conflict, NotFound
from roar_glaas.graph.artifacts import SHORTEST_PREFIX, find_artifact
from roar_glaas.storage.tables import artifact, edge, job, session

MOST_NAMED = 6
_UID, _HASH = 32, 64


class Named(NamedTuple):
    """One thing that a reference may mean; `kind` is artifact, job or session."""

    kind: str
    id: int
    name: str
    algorithm: str | None = None


def named_by(connection: sa.Connection, caller: Caller, reference: str) -> list[Named]:
    """Sessions by their whole hash; jobs by uid or hash, artifacts by a digest, or 8 digits of one.

    At most six. What is a session's hash, a whole uid or a job's hash is taken for nothing else; of
    several registrations of one job the first counts.
    """
    text = reference.lower()
    if not is_hexadecimal(text) or not SHORTEST_PREFIX <= len(text) <= 2 * _HASH:
        return []
    found = _sessions(connection, caller, text) or _jobs(connection, caller, text)
    if found and len(text) in (_UID, _HASH):
        return found
    return [*found, *_artifacts(connection, caller, text)][:MOST_NAMED]


def _sessions(connection: sa.Connection, caller: Caller, text: str) -> list[Named]:
    if len(text) != _HASH:
        return []
    query = sa.select(session.c.id).where(session.c.hash == bytes.fromhex(text), visible(caller))
    return [Named("session", row.id, text) for row in connection.execute(query)]


def _jobs(connection: sa.Connection, caller: Caller, text: str) -> list[Named]:
    """Jobs by their uid; of those of one hash, which did the same, the one registered last."""
    by_uid = _begins(job.c.uid, text, _UID) if len(text) <= _UID else None
    found = [] if by_uid is None else _few(connection, caller, by_uid, sa.func.min, job.c.uid)
    if found and len(text) == _UID:
        return found
    by_hash = _begins(job.c.job_hash, text, _HASH)
    if len(text) <= _HASH:
        found += _few(connection, caller, by_hash, sa.func.max, job.c.job_hash)
    return list({one.id: one for one in found}.values())


def _few(
    connection: sa.Connection,
    caller: Caller,
    condition: sa.ColumnElement[bool],
    choose: Callable[[sa.ColumnElement[int]], sa.ColumnElement[int]],
    alike: sa.ColumnElement[bytes],
) -> list[Named]:
    chosen = (
        sa.select(choose(job.c.id).label("id"))
        .join(session, session.c.id == job.c.session_id)
        .where(condition, visible(caller))
        .group_by(alike)
        .limit(MOST_NAMED)
        .subquery()
    )
    rows = connection.execute(sa.select(job.c.id, job.c.uid).join(chosen, chosen.c.id == job.c.id))
    return [Named("job", row.id, bytes(row.uid).hex()) for row in rows]


def _begins(column: sa.Column[bytes], text: str, digits: int) -> sa.ColumnElement[bool]:
    low, high = (bytes.fromhex(text.ljust(digits, digit)) for digit in "0f")
    return column.between(low, high) if low != high else column == low


def _artifacts(connection: sa.Connection, caller: Caller, text: str) -> list[Named]:
    try:
        one = find_artifact(connection, caller, text)
    except NotFound:
        return []
    except Conflict:
        return _several(connection, caller, text)
    return [Named("artifact", one.id, one.digest, one.algorithm)]


def _several(connection: sa.Connection, caller: Caller, text: str) -> list[Named]:
    """Artifacts that begin so and that jobs used which the caller may see."""
    low = bytes.fromhex(text + "0" * (len(text) % 2))
    high = bytes.fromhex(text.ljust(_HASH if len(text) <= _HASH else 2 * _HASH, "f"))
    is_used = (
        sa.exists()
        .where(edge.c.artifact_id == artifact.c.id, edge.c.job_id == job.c.id)
        .where(job.c.session_id == session.c.id, visible(caller))
    )
    rows: list[Any] = list(
        connection.execute(
            sa.select(artifact)
            .where(artifact.c.digest.between(low, high), is_used)
            .order_by(artifact.c.digest)
            .limit(MOST_NAMED)
        )
    )
    return [
        Named("artifact", row.id, digest_text(row.algorithm, bytes(row.digest)), row.algorithm)
        for row in rows
    ]
