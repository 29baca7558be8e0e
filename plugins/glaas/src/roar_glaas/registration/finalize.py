"""`finalize`: everything that was staged becomes one session, whole or not at all."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from roar_glaas.errors import Conflict
from roar_glaas.registration.pieces import Git, Pieces
from roar_glaas.registration.staging import Registration, bind, close
from roar_glaas.registration.wire import Expected
from roar_glaas.registration.writing import write_session
from roar_glaas.storage.bulk import rows_with
from roar_glaas.storage.tables import job, session


class Outcome(NamedTuple):
    """The session that a registration came to, and whether it is new."""

    session_hash: str
    created: bool


def registered_sessions(
    connection: sa.Connection, owner_id: int, uids: list[bytes]
) -> dict[int, bytes]:
    """Session id -> hash, of the sessions of one owner that hold any of these jobs."""
    query = (
        sa.select(session.c.id, session.c.hash)
        .join(job, job.c.session_id == session.c.id)
        .where(job.c.owner_id == owner_id)
        .distinct()
    )
    return {row.id: bytes(row.hash) for row in rows_with(connection, query, job.c.uid, uids)}


def finalize(
    connection: sa.Connection, found: Registration, git: Git, expected: Expected | None
) -> Outcome:
    """Register what was staged. Closed or bound already: the session of then.

    Call it in `Database.append`. Raises Unprocessable when counts or references do not hold,
    Conflict when some of its jobs are registered elsewhere.
    """
    if found.session_id is not None:
        if found.is_open:
            close(connection, found, found.session_id)
        known = connection.execute(
            sa.select(session.c.hash).where(session.c.id == found.session_id)
        ).scalar_one()
        return Outcome(bytes(known).hex(), False)
    pieces = Pieces(connection, found)
    pieces.check(expected)
    digest = pieces.session_hash(git)
    uids = [bytes.fromhex(uid) for uid in pieces.jobs]
    overlaps = registered_sessions(connection, found.owner_id, uids)
    same = [number for number, known in overlaps.items() if known == digest]
    if same:
        bind(connection, found, same[0])
        close(connection, found, same[0])
        return Outcome(digest.hex(), False)
    if overlaps:
        names = ", ".join(sorted(known.hex()[:12] for known in overlaps.values()))
        raise Conflict(f"some of these jobs are registered already, in session {names}")
    session_id = write_session(connection, found, pieces, git, digest)
    close(connection, found, session_id)
    return Outcome(digest.hex(), True)
