"""The page of one's own account: what signs in as oneself, and how to end that."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from litestar import Response, get, post
from litestar.response import Redirect

from roar_glaas.access import tokens, web_sessions
from roar_glaas.access.caller import Role
from roar_glaas.access.people import person_of
from roar_glaas.access.projects import Project
from roar_glaas.access.reader import Reader
from roar_glaas.access.seen import organizations_of, projects_seen
from roar_glaas.access.ssh import keys_of
from roar_glaas.errors import BadRequest, NotFound, Refusal
from roar_glaas.pages.account.answers import account_page, see
from roar_glaas.pages.account.forms import Form
from roar_glaas.pages.refusals import sentence
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import token

DAYS = (7, 30, 90, 365)
_UNTYPED = {"title": "", "days": "90", "project": "", "read_only": ""}
_DONE = {
    "revoked": "The token is revoked.",
    "signed-out": "That browser is signed out.",
    "signed-out-others": "Every other browser is signed out.",
    "key-added": "The key is added.",
    "key-removed": "The key is removed.",
    "password": "The password is changed, and every other browser is signed out.",
}


@get("/account", sync_to_thread=True)
def account(database: Database, me: Reader, done: str = "") -> Response[str]:
    """Who one is here, and everything that signs in as oneself."""
    return account_at(database, me, done=_DONE.get(done, ""))


@post("/account/tokens", status_code=200, sync_to_thread=True)
def create_token(database: Database, me: Reader, form: Form) -> Response[str]:
    """Make a personal token; this answer is the only one that ever shows it."""
    title, days = form.text("title").strip(), form.text("days")
    errors = {}
    if not title:
        errors["title"] = "Say what the token is for."
    if days not in map(str, DAYS):
        errors["days"] = "Choose how long it lasts."
    try:
        with database.write() as connection:
            limited_to = _own_project(connection, me, form.text("project"), errors)
            if errors:
                raise BadRequest("the form is not complete")
            secret = tokens.issue_personal(
                connection,
                me.caller.owner_id,
                title,
                days=int(days),
                is_read_only="read_only" in form,
                limited_to=limited_to,
            )
    except BadRequest as error:
        errors = errors or {"title": f"{sentence(error)}."}
        typed = {"title": title, "days": days, "project": form.text("project")}
        typed["read_only"] = "yes" if "read_only" in form else ""
        return account_at(database, me, 400, errors=errors, typed=typed)
    return account_at(database, me, secret=secret, secret_title=title)


@post("/account/tokens/{token_id:int}/revoke", status_code=303, sync_to_thread=True)
def revoke_token(database: Database, me: Reader, form: Form, token_id: int) -> Redirect:
    """End a token of one's own; one of a log-in ends the log-in."""
    with database.write() as connection:
        found = connection.execute(
            sa.select(token.c.id).where(
                token.c.id == token_id, token.c.owner_id == me.caller.owner_id
            )
        ).one_or_none()
        if found is None:
            raise NotFound("you have no such token")
        tokens.revoke(connection, token_id)
    return see("/account?done=revoked#tokens")


@post("/account/browsers/{session_id:int}/sign-out", status_code=303, sync_to_thread=True)
def sign_out_browser(database: Database, me: Reader, form: Form, session_id: int) -> Redirect:
    """Sign out one browser."""
    with database.write() as connection:
        web_sessions.end(connection, me.caller.owner_id, session_id)
    return see("/account?done=signed-out#browsers")


@post("/account/browsers/sign-out", status_code=303, sync_to_thread=True)
def sign_out_others(database: Database, me: Reader, form: Form) -> Redirect:
    """Sign out everywhere but here."""
    with database.write() as connection:
        web_sessions.end_all(connection, me.caller.owner_id, but=me.session_id)
    return see("/account?done=signed-out-others#browsers")


@post("/account/password", status_code=303, sync_to_thread=True)
def change_password(database: Database, me: Reader, form: Form) -> Response[Any]:
    """Another password, for who knows the one so far; other browsers are signed out."""
    from roar_glaas.access.passwords import check_password, hash_password
    from roar_glaas.access.people import set_password_hash

    old, new = (form.fields.get(name, "") for name in ("old", "new"))
    errors = {}
    with database.read() as connection:
        person = person_of(connection, me.caller.owner_id)
        if check_password(connection, person.name, old) != person.id:
            errors["old"] = "This is not your password."
    if new != form.fields.get("again"):
        errors["again"] = "This is not the same as the new password."
    try:
        hashed = hash_password(new)
    except Refusal as error:
        errors["new"] = f"{sentence(error)}."
    if errors:
        return account_at(database, me, 400, errors=errors)
    with database.write() as connection:
        set_password_hash(connection, person, hashed)
        web_sessions.end_all(connection, person.id, but=me.session_id)
    return see("/account?done=password#password")


def account_at(database: Database, me: Reader, status: int = 200, **more: Any) -> Response[str]:
    """The page, with what came of a form that was on it."""
    with database.read() as connection:
        person = person_of(connection, me.caller.owner_id)
        listed = tokens.all_tokens(connection, person)
        values: dict[str, Any] = {
            "person": person,
            "organizations": [
                {"name": one.name, "title": one.display_name, "role": me.caller.owners[one.id]}
                for one in organizations_of(connection, me.caller)
            ],
            "tokens": [one for one in listed if one["kind"] == tokens.PERSONAL],
            # An access token lives an hour; the refresh token is what stands for the log-in.
            "logins": [one for one in listed if one["kind"] == tokens.REFRESH],
            "keys": keys_of(connection, person),
            "browsers": web_sessions.sessions_of(connection, person.id),
            "projects": [
                seen.project.name for seen in projects_seen(connection, me.caller) if seen.role
            ],
        }
    values |= {
        "done": "",
        "errors": {},
        "typed": _UNTYPED,
        "secret": "",
        "secret_title": "",
        "typed_key": "",
        **more,
    }
    return account_page("account.html", status, this=me.session_id, days=DAYS, **values)


def _own_project(
    connection: sa.Connection, me: Reader, name: str, errors: dict[str, str]
) -> Project | None:
    if not name:
        return None
    for seen in projects_seen(connection, me.caller):
        if seen.project.name == name and seen.role is not None and seen.role >= Role.READER:
            return seen.project
    errors["project"] = "Choose one of your projects."
    return None
