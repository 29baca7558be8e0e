"""Open registrations: who may add to them, and the pieces that wait for `finalize`."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import NOBODY
from roar_glaas.errors import Conflict, NotFound, TooMany, Unauthenticated
from roar_glaas.moments import now_us as now_us
from roar_glaas.settings import Settings
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.tables import anonymous_use, registration, staged

KINDS = ("job", "edge", "artifact", "composite")
"""The kinds of pieces."""

_SCHEME = "RegistrationSession "
_DAY_S = 24 * 3600
_FORGOTTEN_AT_ONCE = 100


class Registration(NamedTuple):
    """One registration; `session_id` is what came of it, once it is closed."""

    id: int
    owner_id: int
    is_open: bool
    session_id: int | None
    client_version: str
    address: str


def open_registration(
    connection: sa.Connection, settings: Settings, client_version: str, address: str
) -> tuple[str, str]:
    """Open one and forget those that were never finished; returns its name and its secret."""
    now = now_us()
    # Those that another request holds are being used, or forgotten by it.
    over = (
        sa.select(registration.c.id)
        .where(registration.c.state == "open", registration.c.expires_at_us < now)
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    connection.execute(sa.delete(registration).where(registration.c.id.in_(over)))
    name, secret = secrets.token_hex(16), secrets.token_urlsafe(32)
    connection.execute(
        sa.insert(registration),
        {
            "public_id": name,
            "token_hash": hashlib.sha256(secret.encode()).digest(),
            "client_version": client_version,
            "owner_id": NOBODY,
            "state": "open",
            "address": address,
            "created_at_us": now,
            "expires_at_us": now + settings.registration_ttl_s * 1_000_000,
        },
    )
    return name, secret


def find_registration(
    connection: sa.Connection, name: str, authorization: str, *, must_be_open: bool = True
) -> Registration:
    """The registration that the secret in an Authorization header is good for.

    Nobody else finds it until the transaction ends: no piece is staged beside a `finalize`. Raises
    Unauthenticated, NotFound when it does not exist or has expired, Conflict when closed.
    """
    if not authorization.startswith(_SCHEME):
        raise Unauthenticated("this needs the token that opening the registration gave")
    row = connection.execute(
        sa.select(registration)
        .where(registration.c.public_id == name)
        .with_for_update(key_share=True)
    ).one_or_none()
    is_over = row is not None and row.state == "open" and row.expires_at_us < now_us()
    if row is None or is_over:
        raise NotFound("there is no such registration, or it has expired; register again")
    given = hashlib.sha256(authorization.removeprefix(_SCHEME).strip().encode()).digest()
    if not secrets.compare_digest(given, bytes(row.token_hash)):
        raise Unauthenticated("this token is not the registration's")
    if must_be_open and row.state != "open":
        raise Conflict("the registration is closed already", code="closed")
    return Registration(
        row.id,
        row.owner_id,
        row.state == "open",
        row.session_id,
        row.client_version,
        row.address,
    )


def stage(
    connection: sa.Connection,
    settings: Settings,
    found: Registration,
    kind: str,
    pieces: list[tuple[str, dict[str, Any]]],
) -> int:
    """Keep (key, body) pieces until `finalize`; of those with one key, the last is what counts.

    Returns how many were new, for links without looking: 0. Raises TooMany when the address has
    used up its day.
    """
    if not pieces:
        return 0
    unique = dict(pieces)
    new = 0 if kind == "edge" else len(unique.keys() - _staged_keys(connection, found, kind))
    body = json.dumps(unique)
    connection.execute(
        sa.insert(staged),
        {
            "registration_id": found.id,
            "kind": kind,
            "keys": None if kind == "edge" else "\n".join(unique),
            "body": body,
        },
    )
    # Last, because it makes all other requests of this address wait until this one's end.
    _use_quota(connection, settings, found.address, new if kind == "job" else 0, len(body))
    return new


def staged_pieces(
    connection: sa.Connection, found: Registration
) -> dict[str, dict[str, dict[str, Any]]]:
    """Kind -> key -> body, in the order in which they first came."""
    pieces: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
    query = (
        sa.select(staged.c.kind, staged.c.body)
        .where(staged.c.registration_id == found.id)
        .order_by(staged.c.id)
    )
    for row in connection.execute(query):
        pieces[row.kind] |= json.loads(row.body)
    return pieces


def bind(connection: sa.Connection, found: Registration, session_id: int) -> None:
    """Note that the work of an open registration is registered already, in that session."""
    connection.execute(
        sa.update(registration).where(registration.c.id == found.id).values(session_id=session_id)
    )


def close(connection: sa.Connection, found: Registration, session_id: int) -> None:
    """Note what came of it, and drop the pieces."""
    connection.execute(sa.delete(staged).where(staged.c.registration_id == found.id))
    connection.execute(
        sa.update(registration)
        .where(registration.c.id == found.id)
        .values(state="closed", session_id=session_id)
    )


def _staged_keys(connection: sa.Connection, found: Registration, kind: str) -> set[str]:
    """What was sent of one kind before."""
    query = sa.select(staged.c["keys"]).where(
        staged.c.registration_id == found.id, staged.c.kind == kind
    )
    return {key for keys in connection.execute(query).scalars() for key in keys.split("\n")}


def _use_quota(
    connection: sa.Connection, settings: Settings, address: str, jobs: int, size: int
) -> None:
    """Count what an address registers today, in one statement: many may do so at once."""
    day, passed_s = divmod(int(time.time()), _DAY_S)
    used = {"jobs": jobs, "bytes": size}
    insert = insert_of(connection)(anonymous_use).values(address=address, day=day, **used)
    total = connection.execute(
        insert.on_conflict_do_update(
            index_elements=[anonymous_use.c.address, anonymous_use.c.day],
            set_={name: anonymous_use.c[name] + insert.excluded[name] for name in used},
        ).returning(anonymous_use.c.jobs, anonymous_use.c.bytes)
    ).one()
    if (
        total.jobs > settings.anonymous_jobs_per_day
        or total.bytes > settings.anonymous_bytes_per_day
    ):
        raise TooMany(
            f"this address has registered all that one may in a day without an account: "
            f"{settings.anonymous_jobs_per_day} jobs or {settings.anonymous_bytes_per_day} bytes",
            retry_after_s=_DAY_S - passed_s,
        )
