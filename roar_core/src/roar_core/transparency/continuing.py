"""Whether a log is still the one that was seen before, and holds all that it held. Pure.

Each function returns what is wrong as sentences, none when nothing is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from roar_core.transparency.merkle import leaf_hash
from roar_core.transparency.statements import LogKey, TreeHead
from roar_core.transparency.verifying import (
    verify_consistency,
    verify_head,
    verify_inclusion,
    verify_keys,
)


class Seen(NamedTuple):
    """What an earlier visit found in order: a signed head, and the ids of the log's keys."""

    head: TreeHead
    keys: tuple[bytes, ...]


def signature_problems(head: TreeHead, keys: Sequence[LogKey]) -> list[str]:
    """Of a head that is not signed by the key in force, or keys that are not by their elders."""
    found = []
    if not verify_keys(keys):
        found.append("the keys of the log do not follow each other: one is not signed")
    if not verify_head(head, keys):
        found.append(f"the tree head of size {head.size} is not signed by the key that is in force")
    return found


def continuity_problems(
    before: Seen, head: TreeHead, keys: Sequence[LogKey], path: Sequence[bytes]
) -> list[str]:
    """Of a log that is not the one of `before`, or changed what that held.

    `path` is the consistency proof from its head to this one; it is looked at when the log grew.
    """
    found = []
    if tuple(key.key_id for key in keys[: len(before.keys)]) != before.keys:
        found.append("the log has another history of keys than before: it is not the same log")
    old = before.head
    if head.size < old.size:
        found.append(f"the log has shrunk: it has {head.size} records, and had {old.size} before")
    elif not verify_consistency(old.size, head.size, path, old.root, head.root):
        found.append(
            f"the first {old.size} records are not what they were: the log of now does not "
            "continue the one of before"
        )
    return found


def key_problems(
    key: LogKey, salt: bytes, record: str, path: Sequence[bytes], head: TreeHead
) -> list[str]:
    """Of a key whose record is not in the log where the key says; `path` proves its inclusion."""
    try:
        named = json.loads(record)
    except (ValueError, RecursionError):
        named = None
    is_named = isinstance(named, dict) and named.get("public") == key.public.hex()
    leaf = leaf_hash(salt, record.encode())
    if is_named and verify_inclusion(leaf, key.leaf_index, head.size, path, head.root):
        return []
    return [f"the key {key.key_id.hex()[:12]}… is not in the log at {key.leaf_index}"]
