"""From a request to the caller behind it."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from litestar import Request
from litestar.concurrency import sync_to_thread

from roar_glaas.access import signatures, tokens
from roar_glaas.access.caller import ANYBODY, Caller
from roar_glaas.access.reader import STATE, Reader
from roar_glaas.access.roles import caller_of
from roar_glaas.access.ssh import signer
from roar_glaas.errors import Unauthenticated
from roar_glaas.moments import SECOND_US, now_us
from roar_glaas.storage.database import Database

_log = logging.getLogger(__name__)

# Reads that are open to all: clients send the token there that was refused elsewhere.
_PUBLIC = "/api/v1/public/"
_NOTE_USE_AFTER_US = 3600 * SECOND_US


async def who_asks(request: Request[Any, Any, Any], database: Database) -> Caller:
    """The caller of a request: whom its Authorization header proves, anybody without one.

    Raises Unauthenticated for credentials that prove nothing, saying what to do; below `public`
    they make anybody. On pages it is whoever is signed in with the browser, and a header that
    proves nothing here may be for a proxy before this server.
    """
    is_page = STATE in request.scope["state"]
    reader: Reader | None = request.scope["state"].get(STATE)
    if reader is not None:
        return reader.caller
    scheme, given = _credentials(request)
    if scheme in ("", "registrationsession"):  # the latter is the secret of one registration
        return ANYBODY
    try:
        if scheme == "bearer":
            return await sync_to_thread(_bearer, database, given)
        if scheme == "signature":
            signed = signatures.parse(given)
            message = signatures.message_of(
                signed.ts, request.method, _target(request), await request.body()
            )
            is_once = signatures.changes_something(request.method)
            return await sync_to_thread(_signer, database, signed, message, is_once)
        raise Unauthenticated(f"no support for {scheme[:32]!r} credentials; sign in: roar login")
    except Unauthenticated:
        if request.url.path.startswith(_PUBLIC) or (is_page and scheme != "bearer"):
            return ANYBODY
        raise


def known(caller: Caller) -> Caller:
    """The caller, who has signed in. Raises Unauthenticated when they have not."""
    if not caller.is_known:
        raise Unauthenticated("this needs an account; sign in: roar login")
    return caller


def bearer_secret(request: Request[Any, Any, Any]) -> str | None:
    """The token that came with a request, if one did."""
    scheme, given = _credentials(request)
    return given if scheme == "bearer" else None


def _credentials(request: Request[Any, Any, Any]) -> tuple[str, str]:
    scheme, _, given = request.headers.get("authorization", "").strip().partition(" ")
    return scheme.lower(), given.strip()


def _bearer(database: Database, secret: str) -> Caller:
    with database.read() as connection:
        found = tokens.known_by(connection, secret)
        caller = caller_of(
            connection,
            found.owner_id,
            is_read_only=found.is_read_only,
            project_id=found.project_id,
        )
    if found.used_at_us is None or found.used_at_us + _NOTE_USE_AFTER_US < now_us():
        try:
            with database.write() as connection:
                tokens.note_use(connection, found.token_id)
        except sa.exc.OperationalError as error:
            # A full disk is no reason to refuse a reader.
            _log.warning("cannot note the use of token %d: %s", found.token_id, error.orig)
    return caller


def _signer(database: Database, signed: signatures.Signed, message: bytes, is_once: bool) -> Caller:
    with database.read() as connection:
        owner_id, key = signer(connection, signed.keyid)
        signatures.check(key, signed, message)
        caller = caller_of(connection, owner_id)
    if is_once:
        with database.write() as connection:
            signatures.use_up(connection, signed, message)
    return caller


def _target(request: Request[Any, Any, Any]) -> str:
    """The path and the query, as they were sent."""
    path = request.scope["raw_path"].decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
