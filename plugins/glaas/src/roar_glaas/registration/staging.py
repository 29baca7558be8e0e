"""Open registrations: who may add to them, and the pieces that wait for `finalize`."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from roar_glaas.access.caller import NOBODY, Caller
from roar_glaas.door import storable
from roar_glaas.errors import Conflict, NotFound, TooLarge, Unauthenticated
from roar_glaas.moments import SECOND_US, now_us
from roar_glaas.registration.quota import User, use
from roar_glaas.settings import Settings
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.tables import registration, staged

KINDS = ("job", "edge", "artifact", "composite", "known")
"""The kinds of pieces; `known` are jobs that were sent and are registered already."""

_SCHEME = "RegistrationSession "
_FORGOTTEN_AT_ONCE = 100
# What an open registration costs the database though nothing is sent.
_OPENING_BYTES = 512


class Opened(NamedTuple):
    """What opening gave; `secret` is empty for one that was opened before."""

    name: str
    secret: str
    is_open: bool
    is_new: bool


class Registration(NamedTuple):
    """One registration; `session_id` is what came of it, once it is closed.

    `owner_id` is who opened it. Whose its session becomes, its scope says.
    """

    id: int
    owner_id: int
    is_open: bool
    session_id: int | None
    client_version: str
    address: str
    staged_jobs: int = 0
    staged_bytes: int = 0

    @property
    def user(self) -> User:
        """Whose quota pays for it."""
        return User(self.owner_id, self.address)


def open_registration(
    connection: sa.Connection,
    settings: Settings,
    owner_id: int,
    client_version: str,
    address: str,
    client_session_id: str | None = None,
) -> Opened:
    """Open one for somebody, and forget those that were never finished.

    With `client_session_id` the owner's registration that was opened by that name is found again.
    Raises TooMany as `stage` does.
    """
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
    statement = insert_of(connection)(registration).values(
        public_id=name,
        token_hash=hashlib.sha256(secret.encode()).digest(),
        client_version=client_version,
        owner_id=owner_id,
        state="open",
        address=address,
        client_session_id=client_session_id,
        created_at_us=now,
        expires_at_us=now + settings.registration_ttl_s * SECOND_US,
    )
    once = statement.on_conflict_do_nothing(index_elements=["owner_id", "client_session_id"])
    if connection.execute(once.returning(registration.c.id)).first() is not None:
        use(connection, settings, User(owner_id, address), size=_OPENING_BYTES)
        return Opened(name, secret, True, True)
    row = connection.execute(
        sa.select(registration.c.public_id, registration.c.state).where(
            registration.c.owner_id == owner_id,
            registration.c.client_session_id == client_session_id,
        )
    ).one()
    return Opened(row.public_id, "", row.state == "open", False)


def find_registration(
    connection: sa.Connection,
    name: str,
    caller: Caller,
    authorization: str,
    *,
    must_be_open: bool = True,
) -> Registration:
    """The registration of this name, if the caller, or an Authorization header, is good for it.

    Nobody else finds it until the transaction ends: no piece is staged beside a `finalize`. Raises
    Unauthenticated, NotFound when it does not exist, has expired or is somebody else's, Conflict
    when closed.
    """
    has_secret = authorization.startswith(_SCHEME)
    if not has_secret and not caller.is_known:
        raise Unauthenticated("this needs the token that opening the registration gave, or a login")
    row = connection.execute(
        sa.select(registration)
        .where(registration.c.public_id == storable(name, "the address"))
        .with_for_update(key_share=True)
    ).one_or_none()
    is_over = row is not None and row.state == "open" and row.expires_at_us < now_us()
    if row is None or is_over or (not has_secret and row.owner_id != caller.owner_id):
        raise NotFound("there is no such registration, or it has expired; register again")
    given = hashlib.sha256(authorization.removeprefix(_SCHEME).strip().encode()).digest()
    if has_secret and not (
        row.owner_id == NOBODY and secrets.compare_digest(given, bytes(row.token_hash))
    ):
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
        row.staged_jobs,
        row.staged_bytes,
    )


def stage(
    connection: sa.Connection,
    settings: Settings,
    found: Registration,
    kind: str,
    pieces: list[tuple[str, dict[str, Any]]],
) -> int:
    """Keep (key, body) pieces until `finalize`; of those with one key, the last is what counts.

    `found` is as this transaction read it. Returns how many were new, for links without looking: 0.
    Raises TooLarge when one registration takes no more, TooMany when the address, or the account,
    has used up its day.
    """
    if not pieces:
        return 0
    unique = dict(pieces)
    new = 0 if kind == "edge" else len(unique.keys() - _staged_keys(connection, found, kind))
    body = msgspec.json.encode(unique).decode()
    jobs = new if kind == "job" else 0
    _grow(connection, settings, found, jobs, len(body))
    connection.execute(
        sa.insert(staged),
        {
            "registration_id": found.id,
            "kind": kind,
            "keys": None if kind == "edge" else "\n".join(unique),
            "body": body,
        },
    )
    use(connection, settings, found.user, jobs=jobs, size=len(body))
    return new


def _grow(
    connection: sa.Connection, settings: Settings, found: Registration, jobs: int, size: int
) -> None:
    jobs, size = found.staged_jobs + jobs, found.staged_bytes + size
    if jobs > settings.registration_jobs or size > settings.registration_bytes:
        raise TooLarge(
            f"one registration takes at most {settings.registration_jobs} jobs and "
            f"{settings.registration_bytes} bytes; finalize it, and register the rest as another"
        )
    connection.execute(
        sa.update(registration)
        .where(registration.c.id == found.id)
        .values(staged_jobs=jobs, staged_bytes=size)
    )


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
        pieces[row.kind] |= msgspec.json.decode(row.body)
    return pieces


def bind(connection: sa.Connection, found: Registration, session_id: int) -> None:
    """Note that the work of an open registration is registered already, in that session."""
    connection.execute(
        sa.update(registration).where(registration.c.id == found.id).values(session_id=session_id)
    )


def close(
    connection: sa.Connection, found: Registration, session_id: int, *, is_origin: bool = False
) -> None:
    """Note what came of it, and whether it is what the session came of; drop the pieces."""
    connection.execute(sa.delete(staged).where(staged.c.registration_id == found.id))
    connection.execute(
        sa.update(registration)
        .where(registration.c.id == found.id)
        .values(state="closed", session_id=session_id, is_origin=is_origin)
    )


def _staged_keys(connection: sa.Connection, found: Registration, kind: str) -> set[str]:
    """What was sent of one kind before."""
    query = sa.select(staged.c["keys"]).where(
        staged.c.registration_id == found.id, staged.c.kind == kind
    )
    return {key for keys in connection.execute(query).scalars() for key in keys.split("\n")}
