"""Keys and encryption: what a registry is shown opens the session, and decrypts nothing.

The protocol has one value for both: its token is the key, so that a registry which looks can read
everything. Here both come from a secret that stays among the tasks and their submitter, by HKDF
(RFC 5869), from whose outputs neither the secret nor another output can be found. A registry sees
the same 64 hexadecimal digits, and the same form of batch: nonce of 12 bytes, AES-256-GCM.
"""

from __future__ import annotations

import hashlib
import os
import uuid

from roar_core.fragment_sessions.session import Session

_NONCE_BYTES = 12
_CONTEXT = b"roar fragment session 1: "


def token_of(session: Session) -> str:
    """64 hexadecimal digits, shown with every call."""
    return _derived(session, b"token").hex()


def token_hash_of(session: Session) -> str:
    """What a registry is told when the session is opened."""
    return hashlib.sha256(token_of(session).encode("ascii")).hexdigest()


class Seal:
    """Encrypts for one session, and tells what was encrypted for it by who knows its secret."""

    def __init__(self, session: Session) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(_derived(session, b"key"))

    def close(self, plain: bytes) -> bytes:
        """Nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, _CONTEXT)

    def open(self, sealed: bytes) -> bytes:
        """What was encrypted. Raises ValueError when that was not done with this key."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _CONTEXT)
        except (InvalidTag, ValueError) as error:
            raise ValueError("not encrypted for this session, or changed since") from error


def _derived(session: Session, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    salt = uuid.UUID(session.id).bytes
    return HKDF(SHA256(), 32, salt, _CONTEXT + purpose).derive(session.secret)
