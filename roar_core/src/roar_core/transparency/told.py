"""Heads, keys and paths as a log tells them over HTTP (docs/registry-log.md, "Asking"). Pure.

Whatever another machine sent may come in here: what is not of the right shape is a ToldError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from roar_core.errors import RoarError
from roar_core.transparency.continuing import Seen
from roar_core.transparency.statements import LogKey, TreeHead

_HASH_BYTES = 32
# JSON's escapes may hold half a character, which no UTF-8 can tell.
_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")
_NUMBER_END = 2**53  # what JSON tells exactly everywhere (RFC 8785)


class ToldError(RoarError):
    """A log answers with something else than a log does."""


def head_of(told: Any) -> TreeHead:
    """A signed tree head, as `/head` tells it."""
    said = _object(told)
    return TreeHead(
        number_of(said, "size"),
        digest_of(said, "root"),
        number_of(said, "atUs"),
        digest_of(said, "keyId"),
        _bytes(said.get("signature"), "signature"),
    )


def head_told(head: TreeHead) -> dict[str, Any]:
    """What `head_of` reads."""
    return {
        "size": head.size,
        "root": head.root.hex(),
        "atUs": head.at_us,
        "keyId": head.key_id.hex(),
        "signature": head.signature.hex(),
    }


def seen_of(told: Any) -> Seen:
    """What `seen_told` gave, as it was kept in a file."""
    said = _object(told)
    keys = said.get("keys")
    if not isinstance(keys, list):
        raise ToldError("the keys of the log are missing")
    return Seen(head_of(said.get("head")), tuple(_bytes(key, "keys") for key in keys))


def seen_told(head: TreeHead, keys: Sequence[LogKey]) -> dict[str, Any]:
    """What is to be remembered of a visit that found everything in order."""
    return {"head": head_told(head), "keys": [key.key_id.hex() for key in keys]}


def keys_of(told: Any) -> list[LogKey]:
    """The history of keys, the oldest first, as `/keys` tells it; nothing of it is checked."""
    found = _object(told).get("keys")
    if not isinstance(found, list):
        raise ToldError("the log tells no keys")
    return [_key(_object(said)) for said in found]


def path_of(told: Any) -> list[bytes]:
    """The hashes of a proof."""
    path = _object(told).get("path")
    if not isinstance(path, list):
        raise ToldError("the log tells no path of hashes")
    return [_bytes(step, "path") for step in path]


def number_of(told: Any, name: str) -> int:
    """A number of leaves, a leaf's number, or microseconds: not negative."""
    found = _object(told).get(name)
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < _NUMBER_END:
        return found
    raise ToldError(f"the log tells no number in {name}")


def digest_of(told: Any, name: str) -> bytes:
    """A hash: 32 bytes."""
    found = _bytes(_object(told).get(name), name)
    if len(found) != _HASH_BYTES:
        raise ToldError(f"the log tells no hash in {name}")
    return found


def text_of(told: Any, name: str) -> str:
    """A text of an answer."""
    found = _object(told).get(name)
    if isinstance(found, str) and not _HALF_CHARACTERS.search(found):
        return found
    raise ToldError(f"the log tells no text in {name}")


def bytes_of(told: Any, name: str) -> bytes:
    """Bytes that an answer has in hexadecimal."""
    return _bytes(_object(told).get(name), name)


def _key(said: Mapping[str, Any]) -> LogKey:
    return LogKey(
        digest_of(said, "publicKey"),
        None if said.get("previous") is None else digest_of(said, "previous"),
        number_of(said, "atUs"),
        _bytes(said.get("signature"), "signature"),
        _bytes(said.get("ownSignature"), "ownSignature"),
        number_of(said, "leafIndex"),
    )


def _object(told: Any) -> Mapping[str, Any]:
    if not isinstance(told, Mapping):
        raise ToldError("the log does not answer with an object")
    return told


def _bytes(told: Any, name: str) -> bytes:
    try:
        return bytes.fromhex(told)
    except (TypeError, ValueError) as error:
        raise ToldError(f"the log tells no hexadecimal digits in {name}") from error
