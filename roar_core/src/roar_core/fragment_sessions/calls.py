"""The four calls of the protocol (GLaaS v1, section 8)."""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs

from roar_core.errors import RegistryError, UnreachableError
from roar_core.fragment_sessions.sealing import token_hash_of, token_of
from roar_core.fragment_sessions.session import Session
from roar_core.registry.address import Address
from roar_core.registry.connection import Connection
from roar_core.telemetry.endpoint import LOOPBACK

T = TypeVar("T")

CALL_S = 5.0
TTL_S = 24 * 3600
_EXPIRED = 403

_log = logging.getLogger(__name__)


def open_at(connection: Connection, session: Session) -> float | None:
    """Open a session as the connection's caller; returns when it expires, in seconds since 1970.

    None when the registry does not say. Raises RegistryError and its kinds.
    """
    asked = {
        "session_id": session.id,
        "token_hash": token_hash_of(session),
        "ttl_seconds": TTL_S,
    }
    return _expiry(connection.post_exactly("fragments/sessions", asked))


@attrs.define
class Calls:
    """A session at its registry, asked as nobody: its token says enough."""

    session: Session
    _connection: Connection
    _headers: dict[str, str]

    @classmethod
    def to(cls, session: Session, *, attempts: int) -> Calls:
        """Nothing is asked yet."""
        is_loopback = urlsplit(session.url).hostname in LOOPBACK
        address = Address(session.url, is_loopback, is_users_choice=True)
        connection = Connection(
            address, attempts=attempts, connect_s=CALL_S, read_s=CALL_S, warn=_log.info
        )
        return cls(session, connection, {"x-roar-fragment-token": token_of(session)})

    def leave(self, sequence: int, sealed: bytes) -> None:
        """Leave a batch. Raises RegistryError; its status is 413 when it is too large."""
        body = {"encrypted_batch": b64encode(sealed).decode("ascii"), "sequence": sequence}
        self._renewing(lambda: self._post("fragments", body))

    def batches(self) -> Iterator[bytes]:
        """What was left, decoded; empty bytes for what is no batch. Raises RegistryError."""
        path = f"fragments/sessions/{self.session.id}/fragments"
        told = self._renewing(lambda: self._connection.get_exactly(path, self._headers))
        listed = told.get("fragments") if isinstance(told, dict) else told
        if not isinstance(listed, list):
            raise UnreachableError(f"{self.session.url} lists no fragments where it should")
        for entry in listed:
            batch = entry.get("encrypted_batch") if isinstance(entry, dict) else None
            yield _decoded(batch)

    def renew(self) -> float | None:
        """Have the session last from now on; returns when it expires, as `open_at`."""
        return _expiry(self._post("renew", {"ttl_seconds": TTL_S}))

    def close(self) -> None:
        """Let go of the sockets."""
        self._connection.close()

    def _renewing(self, ask: Callable[[], T]) -> T:
        """What `ask` gives; when the session has expired, after it was renewed, once."""
        try:
            return ask()
        except RegistryError as error:
            if error.status != _EXPIRED:
                raise
        self.renew()
        return ask()

    def _post(self, what: str, body: dict[str, Any]) -> Any:
        path = f"fragments/sessions/{self.session.id}/{what}"
        return self._connection.post_exactly(path, body, self._headers)


def _decoded(batch: Any) -> bytes:
    try:
        return b64decode(batch, validate=True) if isinstance(batch, str) else b""
    except ValueError:
        return b""


def _expiry(told: Any) -> float | None:
    found = told.get("expires_at") if isinstance(told, dict) else None
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and found is not None else None
