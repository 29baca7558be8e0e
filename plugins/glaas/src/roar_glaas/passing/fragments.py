"""Fragments: what the workers of one distributed run saw, left here encrypted for its submitter.

Nothing of it is registered. The token that a client shows is, by the protocol, also the key that
its batches are encrypted with (not so with roar's own clients): it is compared by its hash and
never kept, and no message repeats it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import uuid
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.digests import is_hexadecimal
from roar_glaas.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge, TooMany
from roar_glaas.moments import SECOND_US, now_us
from roar_glaas.settings import Settings
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.tables import fragment, fragment_session

_MOST = 2**53 - 1


class Store(NamedTuple):
    """A fragment session that a token is good for."""

    id: int
    expires_at_us: int
    bytes: int


class Opener(NamedTuple):
    """Who opens a session: an owner, and where they ask from."""

    owner_id: int
    address: str


def open_store(
    connection: sa.Connection,
    settings: Settings,
    opener: Opener,
    name: str,
    token_hash: str,
    ttl_s: int,
) -> tuple[int, bool]:
    """Open a session under a client's name for it; returns when it expires, and whether it is new.

    Opened again with the same token, it is the same and expires later. Forgets sessions that
    expired longer ago than they could last. Raises BadRequest, Conflict for another token, and
    TooMany for somebody who has too many sessions open.
    """
    now = now_us()
    over = fragment_session.c.expires_at_us < now - settings.fragment_ttl_s * SECOND_US
    connection.execute(sa.delete(fragment_session).where(over))
    public_id, digest = _uuid(name), _sha256(token_hash)
    expires = now + _ttl(settings, ttl_s) * SECOND_US
    known = _find(connection, public_id)
    if known is not None:
        if not secrets.compare_digest(digest, bytes(known.token_hash)):
            raise Conflict("session_id is that of another fragment session; make a new one")
        return _extend(connection, known, expires), False
    mine = [fragment_session.c.owner_id == opener.owner_id, fragment_session.c.expires_at_us >= now]
    if not opener.owner_id:
        mine.append(fragment_session.c.address == opener.address)
    count = connection.execute(
        sa.select(sa.func.count()).select_from(fragment_session).where(*mine)
    ).scalar_one()
    if count >= settings.fragment_sessions_at_once:
        raise TooMany(
            f"{count} fragment sessions are open already, which is all that one may have at once",
            retry_after_s=3600,
        )
    row = {
        **opener._asdict(),
        "public_id": public_id,
        "token_hash": digest,
        "bytes": 0,
        "created_at_us": now,
        "expires_at_us": expires,
    }
    new = insert_of(connection)(fragment_session).values(row)
    if connection.execute(new.on_conflict_do_nothing(index_elements=["public_id"])).rowcount:
        return expires, True
    # Somebody opened it since we looked.
    raise Conflict("session_id is being opened by another request; ask again")


def find_store(
    connection: sa.Connection,
    name: str,
    token: str,
    *,
    even_expired: bool = False,
    to_read: bool = False,
) -> Store:
    """The session that a token is good for; unless it is to be read alone, nobody else changes it.

    Raises NotFound when there is none, or this is not its token: nobody can tell which. Raises
    Forbidden with the code `expired` when it expired: it may be renewed.
    """
    row = _find(connection, _uuid(name), to_read=to_read)
    given = hashlib.sha256(token.encode("utf-8", "replace")).digest()
    if row is None or not secrets.compare_digest(given, bytes(row.token_hash)):
        raise NotFound("there is no such fragment session, or this is not its token")
    if row.expires_at_us < now_us() and not even_expired:
        raise Forbidden("the fragment session has expired; renew it", code="expired")
    return Store(row.id, row.expires_at_us, row.bytes)


def renew(connection: sa.Connection, settings: Settings, name: str, token: str, ttl_s: int) -> int:
    """Have a session last `ttl_s` from now on, even if it had expired; returns when it expires."""
    found = find_store(connection, name, token, even_expired=True)
    return _extend(connection, found, now_us() + _ttl(settings, ttl_s) * SECOND_US)


def keep(
    connection: sa.Connection, settings: Settings, found: Store, sequence: int, batch: str
) -> bool:
    """Keep one batch, base64 of encrypted bytes; the same batch again is kept once.

    Returns whether it was new. Raises BadRequest, TooLarge for a batch beyond the limit, and
    TooMany when the session is full.
    """
    if not 0 <= sequence <= _MOST:
        raise BadRequest(f"sequence must lie between 0 and {_MOST}")
    if len(batch) > settings.fragment_batch_bytes * 4 // 3 + 4:
        raise TooLarge(f"a batch has at most {settings.fragment_batch_bytes} bytes; send less")
    try:
        content = base64.b64decode(batch, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("encrypted_batch is no base64") from error
    if not content:
        raise BadRequest("encrypted_batch is empty")
    digest = hashlib.sha256(content).digest()
    place = {"fragment_session_id": found.id, "sequence": sequence, "content_hash": digest}
    known = connection.execute(
        sa.select(sa.literal(1)).where(
            *(fragment.c[name] == value for name, value in place.items())
        )
    ).scalar()
    if known:
        return False
    if found.bytes + len(content) > settings.fragment_session_bytes:
        raise TooMany(
            f"the session holds all the {settings.fragment_session_bytes} bytes that one may",
            retry_after_s=max(1, (found.expires_at_us - now_us()) // SECOND_US),
        )
    connection.execute(sa.insert(fragment), {**place, "content": content})
    connection.execute(
        sa.update(fragment_session)
        .where(fragment_session.c.id == found.id)
        .values(bytes=fragment_session.c.bytes + len(content))
    )
    return True


def batches(connection: sa.Connection, found: Store) -> list[dict[str, Any]]:
    """All that was left, by sequence, as it was sent."""
    rows = connection.execute(
        sa.select(fragment.c.sequence, fragment.c.content)
        .where(fragment.c.fragment_session_id == found.id)
        .order_by(fragment.c.sequence, fragment.c.content_hash)
    )
    return [
        {
            "encrypted_batch": base64.b64encode(bytes(row.content)).decode("ascii"),
            "sequence": row.sequence,
        }
        for row in rows
    ]


def _find(connection: sa.Connection, public_id: str, *, to_read: bool = False) -> Any:
    query = sa.select(fragment_session).where(fragment_session.c.public_id == public_id)
    return connection.execute(query if to_read else query.with_for_update()).one_or_none()


def _extend(connection: sa.Connection, known: Any, expires_at_us: int) -> int:
    """Never sooner than it would anyway."""
    later: int = max(known.expires_at_us, expires_at_us)
    connection.execute(
        sa.update(fragment_session)
        .where(fragment_session.c.id == known.id)
        .values(expires_at_us=later)
    )
    return later


def _ttl(settings: Settings, ttl_s: int) -> int:
    """What was asked for, or the most that there is."""
    if ttl_s < 1:
        raise BadRequest("ttl_seconds must be 1 or more")
    return min(ttl_s, settings.fragment_ttl_s)


def _uuid(text: str) -> str:
    try:
        found = uuid.UUID(text)
    except ValueError as error:
        raise BadRequest("session_id must be a UUID") from error
    return str(found)


def _sha256(text: str) -> bytes:
    if len(text) != 64 or not is_hexadecimal(text):
        raise BadRequest("token_hash must be SHA-256 of the token: 64 hexadecimal digits")
    return bytes.fromhex(text)
