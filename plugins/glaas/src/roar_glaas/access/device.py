"""Letting in a client that cannot show a page: it shows a code, somebody approves it (RFC 8628)."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.naming import checked_title
from roar_glaas.access.tokens import Pair, hash_of, issue_pair
from roar_glaas.errors import Conflict, NotFound, TooMany
from roar_glaas.moments import SECOND_US, now_us, written
from roar_glaas.storage.tables import device_code

LIFETIME_S = 600
# RFC 8628, 6.1: letters that are not mistaken for each other, and spell no words. 20**8 codes.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_CODE_LENGTH = 8
_SLOWER_S = 5
_MOST_WAITING = 100

PENDING, APPROVED, DENIED, USED = "pending", "approved", "denied", "used"


class Started(NamedTuple):
    """What the client is given: a secret for itself, a code to show."""

    device_code: str
    user_code: str
    interval_s: int


class Polled(NamedTuple):
    """What came of asking: tokens, or the error code of RFC 8628, 3.5, and how long to wait."""

    pair: Pair | None
    error: str
    interval_s: int


def start(connection: sa.Connection, client_name: str, address: str, interval_s: int) -> Started:
    """Begin to wait. Raises TooMany when too many clients of one address wait already."""
    now = now_us()
    connection.execute(sa.delete(device_code).where(device_code.c.expires_at_us < now))
    waiting = connection.execute(
        sa.select(sa.func.count()).where(
            device_code.c.address == address, device_code.c.state == PENDING
        )
    ).scalar_one()
    if waiting >= _MOST_WAITING:
        raise TooMany("too many log-ins wait at this address", retry_after_s=LIFETIME_S)
    secret = secrets.token_urlsafe(32)
    code = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
    connection.execute(
        sa.insert(device_code),
        {
            "hash": hash_of(secret),
            "user_code": code,
            "client_name": checked_title(client_name, "client_name")[:64],
            "address": address,
            "state": PENDING,
            "interval_s": interval_s,
            "created_at_us": now,
            "expires_at_us": now + LIFETIME_S * SECOND_US,
        },
    )
    return Started(secret, f"{code[:4]}-{code[4:]}", interval_s)


def poll(connection: sa.Connection, secret: str) -> Polled:
    """Whether somebody has approved. Commit whatever it says: it counts how often is asked."""
    row = connection.execute(
        sa.select(device_code).where(device_code.c.hash == hash_of(secret)).with_for_update()
    ).one_or_none()
    now = now_us()
    if row is None or row.state == USED or row.expires_at_us <= now:
        return Polled(None, "expired_token", 0)
    if row.state == DENIED:
        return Polled(None, "access_denied", 0)
    if row.state == APPROVED:
        connection.execute(_of(row).values(state=USED))
        return Polled(issue_pair(connection, row.owner_id, row.client_name), "", 0)
    # Asked up to a second early it is the clock's fault, or the network's.
    due_us = (row.polled_at_us or 0) + (row.interval_s - 1) * SECOND_US
    is_early = row.polled_at_us is not None and now < due_us
    interval_s = row.interval_s + (_SLOWER_S if is_early else 0)
    connection.execute(_of(row).values(polled_at_us=now, interval_s=interval_s))
    return Polled(None, "slow_down" if is_early else "authorization_pending", interval_s)


def waiting(connection: sa.Connection, user_code: str) -> dict[str, Any]:
    """What to tell whoever is to approve a code: which client asks, from where, since when.

    Raises NotFound when nobody waits with it, Conflict when it was answered already.
    """
    row = _waiting(connection, user_code)
    return {
        "user_code": f"{row.user_code[:4]}-{row.user_code[4:]}",
        "client_name": row.client_name,
        "address": row.address,
        "created_at": written(row.created_at_us),
        "expires_at": written(row.expires_at_us),
    }


def approve(connection: sa.Connection, user_code: str, owner_id: int) -> None:
    """Let the client that shows this code in, as this person. Raises NotFound, Conflict."""
    _answer(connection, user_code, state=APPROVED, owner_id=owner_id)


def deny(connection: sa.Connection, user_code: str) -> None:
    """Tell the client that shows this code no. Raises NotFound, Conflict."""
    _answer(connection, user_code, state=DENIED)


def _answer(connection: sa.Connection, user_code: str, **values: Any) -> None:
    row = _waiting(connection, user_code)
    answered = connection.execute(_of(row).where(device_code.c.state == PENDING).values(**values))
    if not answered.rowcount:
        raise Conflict("this code was answered already; if it was not you, start again: roar login")


def _waiting(connection: sa.Connection, user_code: str) -> Any:
    typed = "".join(letter for letter in user_code.upper()[:64] if letter in _LETTERS)
    row = connection.execute(
        sa.select(device_code).where(
            device_code.c.user_code == typed, device_code.c.expires_at_us > now_us()
        )
    ).one_or_none()
    if row is None:
        raise NotFound("no client waits with this code; it may have expired: run roar login again")
    if row.state != PENDING:
        raise Conflict("this code was answered already; if it was not you, start again: roar login")
    return row


def _of(row: Any) -> sa.Update:
    return sa.update(device_code).where(device_code.c.id == row.id)
