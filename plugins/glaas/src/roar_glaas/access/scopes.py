"""Scopes: whose a registration becomes, in which project, and who else may see it."""

from __future__ import annotations

from typing import Any, NamedTuple

import attrs
import sqlalchemy as sa

from roar_glaas.access.caller import NOBODY, Caller
from roar_glaas.access.people import public_id_of
from roar_glaas.access.visibility import PRIVATE, PUBLIC
from roar_glaas.door import storable
from roar_glaas.errors import BadRequest, Forbidden
from roar_glaas.storage.tables import owner, project, session


@attrs.frozen(kw_only=True)
class ScopeRequest:
    """`scope_request` of the protocol (section 3): what a client asks for, by public ids."""

    owner_resolution: str | None = None
    owner_id: str | None = None
    owner_type: str | None = None
    project_id: str | None = None
    visibility: str | None = None


class Scope(NamedTuple):
    """Where a registration belongs; public ids go into hashes and the log."""

    owner_id: int
    owner_public_id: str
    project_id: int | None
    project_public_id: str | None
    visibility: str


def chosen_scope(connection: sa.Connection, caller: Caller, asked: ScopeRequest | None) -> Scope:
    """The scope that is asked for, if the caller may register there.

    Nothing asked means public and the caller's own, or nobody's. Raises BadRequest naming the
    field; Forbidden, in the same words for what does not exist and for what is not theirs.
    """
    if not caller.is_known:
        return _of_nobody(connection, asked)
    if asked is None:
        asked = ScopeRequest(owner_resolution="current_user", visibility=PUBLIC)
    if asked.visibility not in (None, PUBLIC, PRIVATE):
        raise BadRequest(f"scope_request.visibility must be {PUBLIC} or {PRIVATE}")
    for name in (asked.owner_id, asked.project_id):
        storable(name or "", "scope_request")
    if asked.owner_resolution not in (None, "current_user"):
        raise BadRequest("scope_request.owner_resolution can only be current_user")
    if asked.project_id is not None:
        found = _project(connection, caller, asked)
    else:
        found = _owner(connection, caller, asked)
    if asked.owner_type is not None and asked.owner_type != found.kind:
        raise BadRequest(f"scope_request.owner_type: {found.name} is of type {found.kind}")
    scope = Scope(
        found.owner_id,
        found.owner_public_id,
        found.project_id,
        found.project_public_id,
        asked.visibility or found.visibility,
    )
    if not caller.may_write(scope.owner_id, scope.project_id):
        raise Forbidden(
            f"with these credentials you may read what is {found.name}'s and register nothing; "
            "ask for the role of a writer"
        )
    return scope


def require_writer(connection: sa.Connection, caller: Caller, session_id: int) -> None:
    """Refuse who may not add to a registered session, with Forbidden."""
    row = connection.execute(
        sa.select(session.c.owner_id, session.c.project_id).where(session.c.id == session_id)
    ).one()
    if not caller.may_write(row.owner_id, row.project_id):
        raise Forbidden("you may no longer add to this session; ask for the role of a writer")


def _of_nobody(connection: sa.Connection, asked: ScopeRequest | None) -> Scope:
    if asked is not None and (asked != ScopeRequest(visibility=PUBLIC)):
        raise Forbidden("what is registered without an account is public; sign in: roar login")
    return Scope(NOBODY, public_id_of(connection, NOBODY), None, None, PUBLIC)


def _project(connection: sa.Connection, caller: Caller, asked: ScopeRequest) -> Any:
    found = connection.execute(
        sa.select(
            owner.c.id.label("owner_id"),
            owner.c.public_id.label("owner_public_id"),
            *(owner.c.kind, owner.c.name, project.c.visibility),
            project.c.id.label("project_id"),
            project.c.public_id.label("project_public_id"),
        )
        .join(owner, owner.c.id == project.c.owner_id)
        .where(project.c.public_id == asked.project_id)
    ).one_or_none()
    is_owners = found is not None and asked.owner_id in (None, found.owner_public_id)
    if found is None or not is_owners or caller.role(found.owner_id, found.project_id) is None:
        raise Forbidden("you may not register to this project, or there is none such")
    return found


def _owner(connection: sa.Connection, caller: Caller, asked: ScopeRequest) -> Any:
    if asked.owner_id is None and asked.owner_resolution is None:
        raise BadRequest("scope_request must name owner_id, project_id or owner_resolution")
    is_one = (
        owner.c.id == caller.owner_id
        if asked.owner_id is None
        else owner.c.public_id == asked.owner_id
    )
    found = connection.execute(
        sa.select(
            owner.c.id.label("owner_id"),
            owner.c.public_id.label("owner_public_id"),
            *(owner.c.kind, owner.c.name, sa.literal(PRIVATE).label("visibility")),
            sa.null().label("project_id"),
            sa.null().label("project_public_id"),
        ).where(is_one)
    ).one_or_none()
    if found is None or caller.role(found.owner_id, None) is None:
        raise Forbidden("you may not register for this owner, or there is none such")
    return found
