"""How sessions of the legacy path, and their jobs, are called: by their clients, and in links."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from roar_glaas.digests import is_hexadecimal
from roar_glaas.errors import BadRequest
from roar_glaas.storage.tables import legacy_session

_LONGEST_UID = 64


def linked_name(client_hash: str) -> bytes:
    """What links call a session, given the client's hash; raises BadRequest."""
    if len(client_hash) != 64 or not is_hexadecimal(client_hash):
        raise BadRequest("hash must be the session's: 64 lower-case hexadecimal digits")
    return hashlib.sha256(b"roar-glaas legacy session v1\0" + client_hash.encode()).digest()


def registered_uid(client_hash: str, local_uid: str) -> str:
    """A job's uid as registered: the recipe by which newer clients make it (protocol, 4.3)."""
    is_uid = local_uid.isascii() and local_uid.isalnum() and len(local_uid) <= _LONGEST_UID
    if not is_uid:
        raise BadRequest(f"job_uid must be 1 to {_LONGEST_UID} letters and digits")
    return hashlib.sha256(f"{client_hash}\0{local_uid}".encode()).hexdigest()[:32]


def linked_session(connection: sa.Connection, digest: bytes) -> int | None:
    """The id of the session that a link, or its client, calls so."""
    if len(digest) != 32:
        return None
    names = [digest, linked_name(digest.hex())]
    found: int | None = connection.execute(
        sa.select(legacy_session.c.session_id).where(legacy_session.c.name.in_(names))
    ).scalar()
    return found
