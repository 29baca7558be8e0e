"""Signing in by a code that somebody approves in a browser (RFC 8628; protocol, section 2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from roar_core.errors import (
    ConflictError,
    RegistryError,
    UnauthorisedError,
    UnreachableError,
    UnregisteredError,
)
from roar_core.registry.answers import object_of
from roar_core.registry.callers import CLIENT_ID
from roar_core.registry.connection import Connection
from roar_core.registry.credentials import Login

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_S, _LONGEST_INTERVAL_S, _SLOWER_S = 5.0, 60.0, 5.0
_LIFETIME_S, _LONGEST_LIFETIME_S = 600.0, 3600.0
_MOST_CHARACTERS = 64


@attrs.frozen
class Code:
    """What somebody has to type, and where; `page` may have the code in it already."""

    user_code: str
    address: str
    page: str
    interval_s: float
    ends_at_s: float
    secret: str = attrs.field(repr=False)


def start(connection: Connection) -> Code:
    """Ask for a code. Raises UnreachableError for an answer that is none."""
    asked = {"client_id": CLIENT_ID, "client_name": "roar"}
    try:
        told = connection.exchange("auth/device/start", asked)
    except (UnauthorisedError, UnregisteredError, ConflictError) as error:
        raise type(error)(
            f"{error}; nobody is signed in by a code there: take a token from its pages, and give"
            " it with roar login --token-file FILE",
            *(error.status, error.code),
        ) from error
    table = object_of(told)
    stated = [table.get(name) for name in ("device_code", "user_code", "verification_uri")]
    if not all(isinstance(text, str) and text.strip() for text in stated):
        raise UnreachableError(f"{connection.url} gave no code to sign in with; is it a registry?")
    secret, user_code, address = map(str, stated)
    page = table.get("verification_uri_complete")
    lifetime_s = _seconds(table.get("expires_in"), _LIFETIME_S, _LONGEST_LIFETIME_S)
    return Code(
        user_code[:_MOST_CHARACTERS],
        address,
        page if isinstance(page, str) and page else address,
        _seconds(table.get("interval"), _INTERVAL_S, _LONGEST_INTERVAL_S),
        time.monotonic() + lifetime_s,
        secret,
    )


def await_approval(
    connection: Connection, code: Code, pause: Callable[[float], None] = time.sleep
) -> Login:
    """Ask until somebody has approved. Raises RegistryError when they refuse, or nobody does."""
    interval_s = code.interval_s
    asked = {"grant_type": _GRANT, "device_code": code.secret, "client_id": CLIENT_ID}
    while time.monotonic() < code.ends_at_s:
        pause(interval_s)
        told, reason = _ask(connection, asked)
        if reason is None:
            login = Login.from_document(told, time.time())
            if login is None:
                raise UnreachableError(f"{connection.url} approved, but gave no token")
            return login
        if reason == "slow_down":
            interval_s += _SLOWER_S
        elif reason == "access_denied":
            raise RegistryError(f"somebody refused this log-in at {connection.url}", 403, reason)
        elif reason == "expired_token":
            break
        wanted_s = told.get("interval")
        interval_s = max(interval_s, _seconds(wanted_s, interval_s, _LONGEST_INTERVAL_S))
    raise RegistryError(
        f"the code has expired and nobody was let in at {connection.url}; start again: roar login"
    )


def _ask(connection: Connection, asked: Mapping[str, Any]) -> tuple[Mapping[str, Any], str | None]:
    """What was answered, and why there is no token yet; None: there is. Raises RegistryError."""
    try:
        told = connection.exchange("auth/device/token", asked)
    except RegistryError as error:
        if error.code in ("authorization_pending", "slow_down", "access_denied", "expired_token"):
            return {}, error.code
        if error.status is None or error.status >= 500 or error.status == 429:
            return {}, "slow_down"  # the code is good until it expires: ask again, later
        raise
    table = object_of(told)
    status = table.get("status")
    return table, None if status in (None, "approved") else str(status)


def _seconds(told: object, usual_s: float, most_s: float) -> float:
    if isinstance(told, bool) or not isinstance(told, int | float) or not told > 0:
        return usual_s
    return min(float(told), most_s)
