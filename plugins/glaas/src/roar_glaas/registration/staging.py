"""Open registrations: who may add to them, and the pieces that wait for `finalize`."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import NOBODY
from roar_glaas.clock import now_us as now_us
from roar_glaas.errors import Conflict, NotFound, TooMany, Unauthenticated
from roar_glaas.settings import Settings
from roar_glaas.storage.tables import anonymous_use, registration, staged

_SCHEME = "RegistrationSession "
_DAY_S = 24 * 3600


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
    connection.execute(
        sa.delete(registration).where(
            registration.c.state == "open", registration.c.expires_at_us < now
        )
    )
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

    Raises Unauthenticated, NotFound when it does not exist or has expired, Conflict when closed.
    """
    if not authorization.startswith(_SCHEME):
        raise Unauthenticated("this needs the token that opening the registration gave")
    row = connection.execute(
        sa.select(registration).where(registration.c.public_id == name)
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
    """Keep (key, body) pieces until `finalize`; one that was sent before replaces it.

    Returns how many were new. Raises TooMany when the address has used up its day.
    """
    if not pieces:
        return 0
    keys = [key for key, _ in pieces]
    known = set(
        connection.execute(
            sa.select(staged.c.key).where(
                staged.c.registration_id == found.id, staged.c.kind == kind, staged.c.key.in_(keys)
            )
        ).scalars()
    )
    if known:
        connection.execute(
            sa.delete(staged).where(
                staged.c.registration_id == found.id, staged.c.kind == kind, staged.c.key.in_(known)
            )
        )
    unique = dict(pieces)
    bodies = {key: json.dumps(body) for key, body in unique.items()}
    jobs = len(unique) - len(known) if kind == "job" else 0
    _use_quota(connection, settings, found.address, jobs, sum(map(len, bodies.values())))
    connection.execute(
        sa.insert(staged),
        [
            {"registration_id": found.id, "kind": kind, "key": key, "body": body}
            for key, body in bodies.items()
        ],
    )
    return len(unique) - len(known)


def staged_pieces(connection: sa.Connection, found: Registration, kind: str) -> list[Any]:
    """The bodies of one kind, in the order they came."""
    query = (
        sa.select(staged.c.body)
        .where(staged.c.registration_id == found.id, staged.c.kind == kind)
        .order_by(staged.c.id)
    )
    return [json.loads(body) for body in connection.execute(query).scalars()]


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


def _use_quota(
    connection: sa.Connection, settings: Settings, address: str, jobs: int, size: int
) -> None:
    day, passed_s = divmod(int(time.time()), _DAY_S)
    use = anonymous_use.c
    where = sa.and_(use.address == address, use.day == day)
    row = connection.execute(sa.select(anonymous_use).where(where)).one_or_none()
    jobs += row.jobs if row else 0
    size += row.bytes if row else 0
    if jobs > settings.anonymous_jobs_per_day or size > settings.anonymous_bytes_per_day:
        raise TooMany(
            f"this address has registered all that one may in a day without an account: "
            f"{settings.anonymous_jobs_per_day} jobs or {settings.anonymous_bytes_per_day} bytes",
            retry_after_s=_DAY_S - passed_s,
        )
    connection.execute(sa.delete(anonymous_use).where(where))
    connection.execute(
        sa.insert(anonymous_use), {"address": address, "day": day, "jobs": jobs, "bytes": size}
    )
