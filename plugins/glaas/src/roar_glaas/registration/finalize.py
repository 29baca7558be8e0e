"""`finalize`: everything that was staged becomes one session, whole or not at all."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.scopes import chosen_scope
from roar_glaas.registration.intake import Git
from roar_glaas.registration.overlaps import registered_before
from roar_glaas.registration.pieces import Pieces
from roar_glaas.registration.staging import Registration, bind, close
from roar_glaas.registration.widening import agree
from roar_glaas.registration.wire import Finalize
from roar_glaas.registration.writing import write_session
from roar_glaas.storage.tables import session


class Outcome(NamedTuple):
    """The session that a registration came to, its record's number, and whether it is new."""

    session_hash: str
    leaf_index: int
    created: bool


def finalize(
    connection: sa.Connection, caller: Caller, found: Registration, git: Git, data: Finalize
) -> Outcome:
    """Register what was staged, in the scope asked for.

    Closed already, or bound and with nothing new: as it was then. The job of a `put` becomes a
    session of its own when all the work that is sent along with it is registered.

    Call it in `Database.append`. Raises Unprocessable when counts or references do not hold,
    Forbidden when the caller may not register there, Conflict when some of its jobs are registered
    elsewhere, or in a scope that cannot become this one.
    """
    pieces = Pieces(connection, caller, found)
    if found.session_id is not None and not pieces.jobs:
        known = connection.execute(sa.select(session).where(session.c.id == found.session_id)).one()
        # Who asks for a receipt says nothing of the scope, and means nothing by it.
        if data.scope_request is not None:
            agree(connection, caller, known, chosen_scope(connection, caller, data.scope_request))
        if found.is_open:
            close(connection, found, known.id)
        return Outcome(bytes(known.hash).hex(), known.leaf_index, False)
    scope = chosen_scope(connection, caller, data.scope_request)
    pieces.find_parents(connection, caller, scope.owner_id)
    pieces.check(data.expected)
    same = registered_before(connection, caller, scope, pieces, git)
    if same is not None:
        agree(connection, caller, same, scope)
        bind(connection, found, same.id)
        close(connection, found, same.id)
        return Outcome(bytes(same.hash).hex(), same.leaf_index, False)
    # Work that a put was sent with has left the pieces, and may have started it.
    pieces.find_parents(connection, caller, scope.owner_id)
    digest = pieces.session_hash(scope, git)
    session_id = write_session(connection, caller, found, scope, pieces, git, digest)
    close(connection, found, session_id, is_origin=True)
    written = sa.select(session.c.leaf_index).where(session.c.id == session_id)
    return Outcome(digest.hex(), connection.execute(written).scalar_one(), True)
