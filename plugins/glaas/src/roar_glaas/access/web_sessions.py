"""People who are signed in with a browser: a random secret in a cookie, of which a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.tokens import hash_of
from roar_glaas.errors import NotFound
from roar_glaas.moments import DAY_S, SECOND_US, now_us, written
from roar_glaas.storage.tables import account, web_session

IDLE_S = 7 * DAY_S
"""How long one stays signed in without asking for anything."""
LONGEST_S = 30 * DAY_S
"""How long one stays signed in at most."""

_MOST_BROWSER = 200
_MOST_ADDRESS = 64


class WebSession(NamedTuple):
    """A browser that somebody is signed in with."""

    id: int
    owner_id: int
    seen_at_us: int


def begin(connection: sa.Connection, owner_id: int, *, browser: str, address: str) -> str:
    """The secret of a new session, for the cookie. Sessions that are over are forgotten."""
    now = now_us()
    connection.execute(sa.delete(web_session).where(sa.not_(_goes_on(now))))
    secret = secrets.token_urlsafe(32)
    values = {
        "hash": hash_of(secret),
        "owner_id": owner_id,
        "browser": "".join(c for c in browser if c.isprintable())[:_MOST_BROWSER],
        "address": address[:_MOST_ADDRESS],
        "created_at_us": now,
        "seen_at_us": now,
        "expires_at_us": now + LONGEST_S * SECOND_US,
    }
    connection.execute(sa.insert(web_session), values)
    return secret


def known_by(connection: sa.Connection, secret: str) -> WebSession | None:
    """The session that a cookie belongs to; None when it is over, or the account is disabled."""
    row = connection.execute(
        sa.select(web_session.c.id, web_session.c.owner_id, web_session.c.seen_at_us)
        .join(account, account.c.owner_id == web_session.c.owner_id)
        .where(web_session.c.hash == hash_of(secret), _goes_on(now_us()))
        .where(account.c.is_disabled == sa.false())
    ).one_or_none()
    return None if row is None else WebSession._make(row)


def note_use(connection: sa.Connection, session_id: int) -> None:
    """Remember that a session was used just now."""
    connection.execute(
        sa.update(web_session).where(web_session.c.id == session_id).values(seen_at_us=now_us())
    )


def end(connection: sa.Connection, owner_id: int, session_id: int) -> None:
    """Sign one browser of somebody out. Raises NotFound."""
    ended = connection.execute(
        sa.delete(web_session).where(
            web_session.c.id == session_id, web_session.c.owner_id == owner_id
        )
    )
    if ended.rowcount != 1:
        raise NotFound("that browser is signed out already")


def end_all(connection: sa.Connection, owner_id: int, *, but: int | None = None) -> None:
    """Sign somebody out everywhere, but in one browser."""
    these = web_session.c.owner_id == owner_id
    if but is not None:
        these = sa.and_(these, web_session.c.id != but)
    connection.execute(sa.delete(web_session).where(these))


def end_by(connection: sa.Connection, secret: str) -> None:
    """End the session that a cookie belongs to, if any."""
    connection.execute(sa.delete(web_session).where(web_session.c.hash == hash_of(secret)))


def sessions_of(connection: sa.Connection, owner_id: int) -> list[dict[str, Any]]:
    """Where somebody is signed in, the last used first."""
    rows = connection.execute(
        sa.select(web_session)
        .where(web_session.c.owner_id == owner_id, _goes_on(now_us()))
        .order_by(web_session.c.seen_at_us.desc(), web_session.c.id.desc())
    )
    return [
        {
            "id": row.id,
            "browser": row.browser,
            "address": row.address,
            "created_at": written(row.created_at_us),
            "seen_at": written(row.seen_at_us),
        }
        for row in rows
    ]


def form_token(secret: str) -> str:
    """What every form of a session carries: it proves that one of our pages made the form."""
    return hmac.new(secret.encode("utf-8", "replace"), b"form", hashlib.sha256).hexdigest()


def _goes_on(now: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        web_session.c.expires_at_us > now, web_session.c.seen_at_us > now - IDLE_S * SECOND_US
    )
