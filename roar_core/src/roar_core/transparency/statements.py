"""What the log's key signs: tree heads, its own successor, and that bytes were withheld. Pure.

Each is canonical JSON (RFC 8785) that says in `glaas` which of the three it is, so that a
signature of one can never be shown as one of another. docs/registry-log.md gives the exact bytes.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from roar_core.identity import canonical_json


class TreeHead(NamedTuple):
    """The signed statement that the first `size` leaves have this root; hashes are raw bytes."""

    size: int
    root: bytes
    at_us: int
    key_id: bytes
    signature: bytes


class LogKey(NamedTuple):
    """A key of the log: `signature` is its predecessor's (of the first: its own) over `key_bytes`.

    `own_signature` shows that who named it had it. It is in force from leaf `leaf_index` on.
    """

    public: bytes
    previous: bytes | None
    at_us: int
    signature: bytes
    own_signature: bytes
    leaf_index: int

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the 32 bytes of the public key."""
        return key_id(self.public)


def key_id(public: bytes) -> bytes:
    """SHA-256 of the 32 bytes of an Ed25519 public key."""
    return hashlib.sha256(public).digest()


def head_bytes(size: int, root: bytes, at_us: int, key: bytes) -> bytes:
    """What a tree head's signature is over."""
    return canonical_json(
        {
            "at_us": at_us,
            "glaas": "tree-head",
            "key": key.hex(),
            "root": root.hex(),
            "size": size,
            "v": 1,
        }
    )


def key_bytes(public: bytes, previous: bytes | None, at_us: int) -> bytes:
    """What both signatures of a new key are over."""
    return canonical_json(
        {
            "at_us": at_us,
            "glaas": "key",
            "previous": None if previous is None else previous.hex(),
            "public": public.hex(),
            "v": 1,
        }
    )


def withheld_bytes(leaf_index: int, digest: bytes, reason: str, at_us: int) -> bytes:
    """What the signature of a withholding is over; `digest` is the withheld leaf's hash."""
    return canonical_json(
        {
            "at_us": at_us,
            "glaas": "withheld",
            "hash": digest.hex(),
            "leaf": leaf_index,
            "reason": reason,
            "v": 1,
        }
    )
