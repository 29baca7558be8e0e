"""`finalize`: everything that was staged becomes one session, whole or not at all."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.scopes import Scope, chosen_scope
from roar_glaas.access.visibility import visible
from roar_glaas.errors import Conflict
from roar_glaas.registration.pieces import Git, Pieces
from roar_glaas.registration.staging import Registration, bind, close
from roar_glaas.registration.widening import agree
from roar_glaas.registration.wire import Finalize
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
    connection: sa.Connection, caller: Caller, found: Registration, git: Git, data: Finalize
) -> Outcome:
    """Register what was staged, in the scope asked for. Closed or bound already: as it was then.

    Call it in `Database.append`. Raises Unprocessable when counts or references do not hold,
    Forbidden when the caller may not register there, Conflict when some of its jobs are registered
    elsewhere, or in a scope that cannot become this one.
    """
    if found.session_id is not None:
        known = connection.execute(sa.select(session).where(session.c.id == found.session_id)).one()
        # Who asks for a receipt says nothing of the scope, and means nothing by it.
        if data.scope_request is not None:
            agree(connection, caller, known, chosen_scope(connection, caller, data.scope_request))
        if found.is_open:
            close(connection, found, known.id)
        return Outcome(bytes(known.hash).hex(), False)
    scope = chosen_scope(connection, caller, data.scope_request)
    pieces = Pieces(connection, found)
    pieces.check(data.expected)
    same = _registered_before(connection, caller, scope, pieces, git)
    if same is not None:
        agree(connection, caller, same, scope)
        bind(connection, found, same.id)
        close(connection, found, same.id)
        return Outcome(bytes(same.hash).hex(), False)
    digest = pieces.session_hash(scope, git)
    session_id = write_session(connection, caller, found, scope, pieces, git, digest)
    close(connection, found, session_id)
    return Outcome(digest.hex(), True)


def _registered_before(
    connection: sa.Connection, caller: Caller, scope: Scope, pieces: Pieces, git: Git
) -> Any:
    """The row of the session that is this work; None when all of it is new. Raises Conflict."""
    uids = [bytes.fromhex(uid) for uid in pieces.jobs]
    overlaps = registered_sessions(connection, scope.owner_id, uids)
    for row in connection.execute(sa.select(session).where(session.c.id.in_(overlaps))):
        # A client says more or less of its checkout as it registers in one scope or another.
        then = Git(row.git_repo or "", row.git_commit, row.git_branch or "")
        hashes = [pieces.session_hash(scope, named) for named in (git, then)]
        if bytes(row.hash) in hashes:
            return row
    if overlaps:
        seen = connection.execute(
            sa.select(session.c.hash).where(session.c.id.in_(overlaps), visible(caller))
        ).scalars()
        names = ", ".join(sorted(bytes(known).hex()[:12] for known in seen))
        place = f", in session {names}" if names else ""
        raise Conflict(f"some of these jobs are registered already{place}")
    return None
