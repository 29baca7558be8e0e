"""Signing in by name and password. Who fails often must wait, and nobody is locked out for good.

Failures are counted for a name from one address, and from anywhere. The second count does not
concern an address from which that name signed in lately, so that strangers who guess cannot keep
somebody out. Names that belong to nobody are counted alike.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from roar_glaas.access.passwords import check_password
from roar_glaas.errors import TooMany
from roar_glaas.moments import DAY_S, SECOND_US, now_us
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import sign_in_attempt

FREE_HERE = 5
"""Failures from one address that cost no wait; each one more doubles it."""
FREE_ANYWHERE = 50
LONGEST_WAIT_S = 60
_FORGOTTEN_AFTER_US = 3600 * SECOND_US
_FAMILIAR_US = 90 * DAY_S * SECOND_US


def sign_in(database: Database, name: str, password: str, address: str) -> int | None:
    """The owner id of whom name and password belong to; None when they do not.

    Raises TooMany, with the password unlooked at, when it failed too often just now.
    """
    with database.write() as connection:
        # Counted before it is checked: attempts that come together are as many.
        _take_attempt(connection, name, address)
    with database.read() as connection:
        found = check_password(connection, name, password)
    if found is not None:
        with database.write() as connection:
            _note_success(connection, name, address)
    return found


def wait_s(failures: int, free: int) -> int:
    """How many seconds are to pass after so many failures in a row."""
    over = failures - free
    return 0 if over < 0 else min(LONGEST_WAIT_S, 1 << min(over, 10))


def _take_attempt(connection: sa.Connection, name: str, address: str) -> None:
    now = now_us()
    connection.execute(
        sa.delete(sign_in_attempt).where(
            sign_in_attempt.c.tried_at_us < now - _FORGOTTEN_AFTER_US,
            sa.func.coalesce(sign_in_attempt.c.succeeded_at_us, 0) < now - _FAMILIAR_US,
        )
    )
    here, anywhere = _keys(name, address)
    is_familiar = _count(connection, here, FREE_HERE, now)
    if not is_familiar:
        _count(connection, anywhere, FREE_ANYWHERE, now)


def _count(connection: sa.Connection, key: bytes, free: int, now: int) -> bool:
    """Count one attempt. Whether one with this key succeeded lately; raises TooMany."""
    connection.execute(
        insert_of(connection)(sign_in_attempt).on_conflict_do_nothing(),
        {"key": key, "failures": 0, "tried_at_us": 0},
    )
    this = sign_in_attempt.c.key == key
    row = connection.execute(sa.select(sign_in_attempt).where(this).with_for_update()).one()
    failures = row.failures if row.tried_at_us > now - _FORGOTTEN_AFTER_US else 0
    wait_us = wait_s(failures, free) * SECOND_US
    # Where the clock was set back, an attempt lies ahead; it costs no more for that.
    left_us = min(wait_us, row.tried_at_us + wait_us - now)
    if left_us > 0:
        left_s = -(-left_us // SECOND_US)
        raise TooMany(
            f"too many attempts under this name failed; try again in {left_s} s",
            retry_after_s=left_s,
        )
    connection.execute(
        sa.update(sign_in_attempt).where(this).values(failures=failures + 1, tried_at_us=now)
    )
    return row.succeeded_at_us is not None and row.succeeded_at_us > now - _FAMILIAR_US


def _note_success(connection: sa.Connection, name: str, address: str) -> None:
    here, anywhere = _keys(name, address)
    attempts = sa.update(sign_in_attempt)
    connection.execute(
        attempts.where(sign_in_attempt.c.key == here).values(failures=0, succeeded_at_us=now_us())
    )
    connection.execute(attempts.where(sign_in_attempt.c.key == anywhere).values(failures=0))


def _keys(name: str, address: str) -> tuple[bytes, bytes]:
    typed = name.strip().lower().encode("utf-8", "replace")
    anywhere = hashlib.sha256(typed).digest()
    return hashlib.sha256(anywhere + address.encode("utf-8", "replace")).digest(), anywhere
