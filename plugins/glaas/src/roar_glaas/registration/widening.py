"""The one thing about a registered session that may change: what was private becomes public.

It is a record of the log like any other, and it cannot be undone.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.people import public_id_of
from roar_glaas.access.scopes import Scope
from roar_glaas.access.visibility import PRIVATE, PUBLIC
from roar_glaas.errors import Conflict
from roar_glaas.log.appending import Record, append
from roar_glaas.moments import now_us
from roar_glaas.storage.tables import session


def agree(connection: sa.Connection, caller: Caller, known: Any, scope: Scope) -> None:
    """Bring a session (a row of `session`) to the scope that it is registered with once more.

    `scope` is one that the caller may register to. Call it in `Database.append`. Raises Conflict
    when that would move it to another project, or take back what is public.
    """
    if known.owner_id != scope.owner_id or known.project_id != scope.project_id:
        raise Conflict(
            "this work is registered already, and not in this project; "
            "a registration stays where it was made"
        )
    if known.visibility == scope.visibility:
        return
    if scope.visibility == PRIVATE:
        raise Conflict(
            "this work is registered already and is public: what was published cannot be "
            "taken back; register it with --public"
        )
    _widen(connection, caller, known)


def publish(connection: sa.Connection, caller: Caller, session_id: int) -> None:
    """Make a session public of which nothing is sent once more; call it in `Database.append`.

    Raises Conflict for a project's: what its members see is for the project to say.
    """
    known = connection.execute(sa.select(session).where(session.c.id == session_id)).one()
    if known.visibility == PUBLIC:
        return
    if known.project_id is not None:
        raise Conflict("this work is a private project's, and stays there")
    _widen(connection, caller, known)


def _widen(connection: sa.Connection, caller: Caller, known: Any) -> None:
    by = public_id_of(connection, caller.owner_id)
    told = {"session": bytes(known.hash).hex(), "visibility": PUBLIC, "by": by}
    append(connection, [Record("scope", told)], now_us())
    connection.execute(sa.update(session).where(session.c.id == known.id).values(visibility=PUBLIC))
