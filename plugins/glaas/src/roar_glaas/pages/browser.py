"""The cookie of a browser that somebody is signed in with, and what pages learn from it.

Only pages look at the cookie. The API knows nobody by it, for reading or for writing: what a
browser sends along by itself must not be able to register or change anything there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import sqlalchemy as sa
from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from roar_glaas.access import web_sessions
from roar_glaas.access.reader import STATE, Reader
from roar_glaas.access.roles import caller_of
from roar_glaas.moments import SECOND_US, now_us
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

_log = logging.getLogger(__name__)
_NOTE_USE_AFTER_US = 300 * SECOND_US
_reader: ContextVar[Reader | None] = ContextVar("reader", default=None)


def reader() -> Reader | None:
    """Who reads the page that is being made; None for somebody who is not signed in."""
    return _reader.get()


def knows_reader(settings: Settings, database: Database) -> Callable[[ASGIApp], ASGIApp]:
    """The layer around pages that finds out, by the cookie, who reads them."""

    def around(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            secret = Request[Any, Any, Any](scope).cookies.get(cookie_name(settings), "")
            found = await sync_to_thread(_find, database, secret) if secret else None
            scope["state"][STATE] = found
            before = _reader.set(found)

            async def say(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = MutableScopeHeaders.from_message(message)
                    headers.add("Vary", "Cookie")
                    if found is not None:
                        # Nobody who comes to this browser, or its cache, later shall read it.
                        headers["Cache-Control"] = "no-store"
                await send(message)

            try:
                await app(scope, receive, say)
            finally:
                _reader.reset(before)

        return answer

    return around


def cookie_name(settings: Settings, what: str = "session") -> str:
    """The name of a cookie; `__Host-` has browsers take it from this host over https alone."""
    return f"__Host-glaas_{what}" if is_secure(settings) else f"glaas_{what}"


def is_secure(settings: Settings) -> bool:
    """Whether browsers reach this server by https."""
    return settings.url.startswith("https://")


def cookie(settings: Settings, value: str, max_age: int, what: str = "session") -> Cookie:
    """A cookie that no script can read and that other sites' forms do not bring along."""
    return Cookie(
        key=cookie_name(settings, what),
        value=value,
        max_age=max_age,
        path="/",
        secure=is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def no_cookie(settings: Settings, what: str = "session") -> Cookie:
    """What has a browser forget a cookie."""
    return cookie(settings, "", 0, what)


def _find(database: Database, secret: str) -> Reader | None:
    with database.read() as connection:
        found = web_sessions.known_by(connection, secret)
        if found is None:
            return None
        caller = caller_of(connection, found.owner_id)
    if found.seen_at_us + _NOTE_USE_AFTER_US < now_us():
        try:
            with database.write() as connection:
                web_sessions.note_use(connection, found.id)
        except sa.exc.OperationalError as error:
            # A full disk is no reason to refuse a reader.
            _log.warning("cannot note the use of web session %d: %s", found.id, error.orig)
    return Reader(caller=caller, session_id=found.id, form_token=web_sessions.form_token(secret))
