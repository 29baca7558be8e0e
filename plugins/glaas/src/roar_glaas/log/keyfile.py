"""The file of the key that signs tree heads: `tree-head.key` in the data directory, mode 0600.

PEM (PKCS 8), never in the database. Servers on several hosts that share one PostgreSQL database
share the key too: copy the file to each of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from roar_core.transparency.statements import key_id
from roar_glaas.errors import GlaasError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_NAME = "tree-head.key"
_NEXT = "tree-head.key.next"


class SigningKey:
    """A private key that can sign, with its public half and its id as raw bytes."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    def sign(self, content: bytes) -> bytes:
        """The Ed25519 signature (RFC 8032): 64 bytes."""
        return self._private.sign(content)


def load_key(data: Path, wanted: bytes | None) -> SigningKey | None:
    """The key of this id in a data directory, or whichever is there when any is wanted.

    Returns None when it is not there. Raises GlaasError for a file that others may read, or that
    is no key.
    """
    for name in (_NAME,) if wanted is None else (_NAME, _NEXT):
        found = _read(data / name)
        if found is not None and wanted in (None, found.id):
            return found
    return None


def make_key(data: Path, *, following: bool = False) -> SigningKey:
    """Make a key and its file; `following` another, beside it until `install_next`.

    Raises GlaasError when the file cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = data / (_NEXT if following else _NAME)
    fresh = data / f"{file.name}.{os.getpid()}"
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, text)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.rename(file)
        _keep_names(data)
    except OSError as error:
        raise GlaasError(f"the log's key {file} cannot be written: {error.strerror}") from error
    return SigningKey(private)


def install_next(data: Path, wanted: bytes) -> None:
    """Put the following key, if it has this id, in the place of the old one, which is gone then.

    Call it once the log has taken the key, and at every start: a rotation may have been cut short.
    """
    found = _read(data / _NEXT)
    if found is not None and found.id == wanted:
        (data / _NEXT).rename(data / _NAME)
        _keep_names(data)


def key_text(data: Path, wanted: bytes) -> bytes | None:
    """The file of the key of this id, as it is kept in backups; None when it is not there."""
    for name in (_NAME, _NEXT):
        found = _read(data / name)
        if found is not None and found.id == wanted:
            return (data / name).read_bytes()
    return None


def put_key(data: Path, text: bytes) -> None:
    """Put a key from a backup where there is none. Raises OSError."""
    descriptor = os.open(data / _NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    _keep_names(data)


def has_key(data: Path) -> bool:
    """Whether there is a key."""
    return (data / _NAME).exists() or (data / _NEXT).exists()


def _read(file: Path) -> SigningKey | None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        mode = file.stat().st_mode
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GlaasError(f"the log's key {file} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise GlaasError(f"others may read the log's key; run: chmod 600 {file}")
    try:
        private = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise GlaasError(f"{file} is no private key in PEM; restore it from a backup") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise GlaasError(f"{file} is no Ed25519 key; restore it from a backup")
    return SigningKey(private)


def _keep_names(data: Path) -> None:
    """Have a rename survive a power cut."""
    descriptor = os.open(data, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
