"""Passwords: hashed with argon2id (RFC 9106); a wrong name costs as much as a wrong password."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from roar_glaas.errors import BadRequest
from roar_glaas.storage.tables import account, owner

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 10
# Argon2 takes any length; nobody types more, and each attempt costs time in proportion.
_LONGEST = 1024


def hash_password(password: str) -> str:
    """The hash to be kept. Raises BadRequest for one that is too short or too long."""
    if not SHORTEST <= len(password) <= _LONGEST:
        raise BadRequest(f"a password has {SHORTEST} to {_LONGEST} characters")
    return _hasher().hash(_bytes(password))


def check_password(connection: sa.Connection, name: str, password: str) -> int | None:
    """The owner id of the person whose name, or mail address, and password these are; else None.

    Nobody can tell by the answer or by its time which of the two was wrong.
    """
    from argon2.exceptions import VerificationError

    # What no database can keep is nobody's name.
    name = name.encode("utf-8", "replace").decode().replace("\0", "?")
    row = connection.execute(
        sa.select(account.c.owner_id, account.c.password_hash, account.c.is_disabled)
        .join(owner, owner.c.id == account.c.owner_id)
        .where(sa.or_(owner.c.name == name, account.c.email == name.strip().lower()))
        # A name has no @ and an address has one: there is one row at most.
        .limit(1)
    ).one_or_none()
    kept = row.password_hash if row is not None else None
    try:
        _hasher().verify(kept or _hash_of_nobody(), _bytes(password[: _LONGEST + 1]))
    except VerificationError:
        return None
    if row is None or kept is None or row.is_disabled:
        return None
    return int(row.owner_id)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _hash_of_nobody() -> str:
    import secrets

    return _hasher().hash(secrets.token_bytes(32))
