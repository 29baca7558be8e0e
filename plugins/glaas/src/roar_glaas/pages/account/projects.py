"""Pages of projects and organisations: what is in them and who works there; and one's sessions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from litestar import Response, get, post

from roar_glaas.access.caller import Caller, Role
from roar_glaas.access.naming import role_named
from roar_glaas.access.people import Person, find_person
from roar_glaas.access.projects import ORGANIZATION, Owner, Project, find_owner, grant, members_of
from roar_glaas.access.reader import Reader
from roar_glaas.access.seen import (
    organization_seen,
    organizations_of,
    project_seen,
    projects_seen,
    sessions_seen,
)
from roar_glaas.errors import BadRequest, Forbidden, NotFound
from roar_glaas.pages.account.answers import account_page, see
from roar_glaas.pages.account.forms import Form
from roar_glaas.pages.refusals import sentence
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import owner, session

_DONE = {"changed": "Who works here is changed.", "removed": "They do not work here any more."}
_NOBODY = "Nobody here has this name."


@get("/projects", sync_to_thread=True)
def projects(database: Database, caller: Caller) -> Response[str]:
    """The projects that one sees: one's own, and the public ones."""
    with database.read() as connection:
        seen = projects_seen(connection, caller)
        organizations = organizations_of(connection, caller)
    return account_page(
        "projects.html",
        own=[one for one in seen if one.role],
        others=[one for one in seen if not one.role],
        organizations=organizations,
    )


@get("/projects/{owner_name:str}/{slug:str}", sync_to_thread=True)
def project_page(
    database: Database,
    caller: Caller,
    owner_name: str,
    slug: str,
    before: str = "",
    done: str = "",
) -> Response[str]:
    """The sessions of a project, and who works in it."""
    return _project_page(database, caller, owner_name, slug, before=before, done=_DONE.get(done))


@post("/projects/{owner_name:str}/{slug:str}/members", status_code=303, sync_to_thread=True)
def change_project_member(
    database: Database, me: Reader, form: Form, owner_name: str, slug: str
) -> Response[Any]:
    """Give somebody a role in a project, or take it away."""
    with database.write() as connection:
        seen = project_seen(connection, me.caller, owner_name, slug)
        if not seen.is_admin:
            raise Forbidden("only admins of this project say who works in it")
        errors = _change(connection, seen.project, form)
    if errors:
        return _project_page(
            database, me.caller, owner_name, slug, 400, errors=errors, typed=_typed(form)
        )
    return see(f"/projects/{owner_name}/{slug}?done={_what(form)}#members")


@get("/organizations/{name:str}", sync_to_thread=True)
def organization_page(
    database: Database, caller: Caller, name: str, done: str = ""
) -> Response[str]:
    """The projects of an organisation, and who belongs to it."""
    return _organization_page(database, caller, name, done=_DONE.get(done))


@post("/organizations/{name:str}/members", status_code=303, sync_to_thread=True)
def change_organization_member(
    database: Database, me: Reader, form: Form, name: str
) -> Response[Any]:
    """Give somebody a role in an organisation, or take it away; one admin remains."""
    with database.write() as connection:
        found, role, _ = organization_seen(connection, me.caller, name)
        if role != Role.ADMIN:
            raise Forbidden("only admins of this organisation say who belongs to it")
        # Two admins who remove each other at the same time do it one after the other.
        connection.execute(sa.select(owner.c.id).where(owner.c.id == found.id).with_for_update())
        errors = _change(connection, found, form)
    if errors:
        return _organization_page(database, me.caller, name, 400, errors=errors, typed=_typed(form))
    return see(f"/organizations/{name}?done={_what(form)}#members")


@get("/my/sessions", sync_to_thread=True)
def my_sessions(database: Database, me: Reader, before: str = "") -> Response[str]:
    """What one registered, the newest first."""
    with database.read() as connection:
        number = me.caller.owner_id
        mine = [session.c.owner_id == number, session.c.registered_by == number]
        seen = sessions_seen(connection, me.caller, mine, before)
    return account_page("sessions.html", seen=seen, is_first=not before)


def _project_page(
    database: Database,
    caller: Caller,
    owner_name: str,
    slug: str,
    status: int = 200,
    *,
    before: str = "",
    **more: Any,
) -> Response[str]:
    with database.read() as connection:
        found, role = project_seen(connection, caller, owner_name, slug)
        inside = [session.c.project_id == found.id]
        values: dict[str, Any] = {
            "project": found,
            "role": role,
            "of_organization": find_owner(connection, found.owner_name).kind == ORGANIZATION,
            "seen": sessions_seen(connection, caller, inside, before),
            # Who works where is for those who work there.
            "members": members_of(connection, found) if role else [],
        }
    values |= {"is_first": not before, **_blank(), **more}
    return account_page("project.html", status, **values)


def _organization_page(
    database: Database, caller: Caller, name: str, status: int = 200, **more: Any
) -> Response[str]:
    with database.read() as connection:
        found, role, projects = organization_seen(connection, caller, name)
        members = members_of(connection, found) if role else []
    values = {"organization": found, "role": role, "projects": projects, "members": members}
    return account_page("organization.html", status, **values | _blank() | more)


def _blank() -> dict[str, Any]:
    return {"done": None, "errors": {}, "typed": {"name": "", "role": "reader"}}


def _change(connection: sa.Connection, where: Owner | Project, form: Form) -> dict[str, str]:
    """Do what a members' form says; else what is wrong, by field."""
    errors: dict[str, str] = {}
    person = _person(connection, form.text("name").strip(), errors)
    role = None if "remove" in form else _role(form, errors)
    if errors or person is None:
        return errors
    members = members_of(connection, where)
    if "add" in form and person.name in {one.name for one in members}:
        return {"name": "They are here already; change their role above."}
    admins = {one.name for one in members if one.role == Role.ADMIN}
    if isinstance(where, Owner) and admins == {person.name} and role != Role.ADMIN:
        return {"members": "An organisation keeps one admin: make somebody else admin first."}
    grant(connection, where, person, role)
    return {}


def _person(connection: sa.Connection, name: str, errors: dict[str, str]) -> Person | None:
    try:
        return find_person(connection, name)
    except NotFound:
        errors["name"] = _NOBODY if name else "Type the name of their account."
        return None


def _role(form: Form, errors: dict[str, str]) -> Role | None:
    try:
        return role_named(form.text("role"))
    except BadRequest as error:
        errors["role"] = f"{sentence(error)}."
        return None


def _typed(form: Form) -> dict[str, str]:
    return {"name": form.text("name"), "role": form.text("role")}


def _what(form: Form) -> str:
    return "removed" if "remove" in form else "changed"
