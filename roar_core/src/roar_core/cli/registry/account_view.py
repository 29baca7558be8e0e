"""Whoever is signed in, in words and as the document `account`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from roar_core.cli import output
from roar_core.cli.documents import Document, document, text, timestamp

if TYPE_CHECKING:
    from roar_core.registry.callers import Caller
    from roar_core.registry.connection import Connection
    from roar_core.registry.credentials import User


def account_document(
    connection: Connection, user: User | None, accepted: bool | None = None, reason: str = ""
) -> Document:
    """`accepted` is what the registry said of the credential, None when it was not asked."""
    caller = connection.caller
    ends_s = ends_at_s(caller)
    return document(
        "account",
        registry=connection.url,
        credential=None if caller is None else caller.kind,
        user=None
        if user is None or not user.words
        else {"id": text(user.id), "name": text(user.name), "email": text(user.email)},
        key=key_of(caller),
        expires_at=None if ends_s is None else timestamp(int(ends_s * 1e9)),
        renewable=is_renewable(caller),
        accepted=accepted,
        reason=text(reason) or None,
    )


def credential_words(caller: Caller) -> str:
    """By what somebody is known: `log-in, good until 2026-11-20 10:15 UTC`."""
    match caller.kind:
        case "token":
            return "the token in ROAR_TOKEN"
        case "ssh":
            return f"SSH key {key_of(caller)}"
        case "withheld":
            return "a credential that is not used here"
    ends_s = ends_at_s(caller)
    if is_renewable(caller) or ends_s is None:
        return "log-in"
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ends_s))
    return f"log-in, {'good until' if ends_s > time.time() else 'ended'} {until}"


def key_of(caller: Caller | None) -> str | None:
    """The fingerprint of the key that signs, None when none does."""
    from roar_core.registry.callers import KeyCaller

    return caller.key.fingerprint if isinstance(caller, KeyCaller) else None


def ends_at_s(caller: Caller | None) -> float | None:
    """When the token of a log-in ends, and when that can be renewed, the log-in; None: unknown."""
    from roar_core.registry.callers import LoginCaller

    if not isinstance(caller, LoginCaller):
        return None
    login = caller.login
    return login.refresh_expires_at_s if is_renewable(caller) else login.expires_at_s


def is_renewable(caller: Caller | None) -> bool:
    """Whether a log-in goes on by itself when its token ends."""
    from roar_core.registry.callers import LoginCaller

    return isinstance(caller, LoginCaller) and bool(caller.login.refresh_token)


def nobody(url: str) -> None:
    """Say that nobody is signed in."""
    output.note(f"nobody is signed in at {output.printable(url)}; sign in: roar login")
