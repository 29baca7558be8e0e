"""Check what a log says, without its database: proofs (RFC 9162, 2.1), tree heads, keys. Pure.

Every function returns whether the claim holds, and raises nothing for claims that are malformed.
"""

from __future__ import annotations

from collections.abc import Sequence

from roar_core.transparency.merkle import EMPTY_ROOT, node_hash
from roar_core.transparency.statements import LogKey, TreeHead, head_bytes, key_bytes


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Whether the leaf of this hash is number `index` of the tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = node_hash(sibling, found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Whether the tree of `old` leaves is the beginning of that of `new` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    if old == new:
        return not path and old_root == new_root
    steps = list(path)
    if old & (old - 1) == 0:  # the old tree is a complete subtree: the path leaves it out
        steps.insert(0, old_root)
    if not steps:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_found = new_found = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_found = node_hash(step, old_found)
            new_found = node_hash(step, new_found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_found = node_hash(new_found, step)
        position, last = position >> 1, last >> 1
    return last == 0 and old_found == old_root and new_found == new_root


def verify_head(head: TreeHead, keys: Sequence[LogKey]) -> bool:
    """Whether a tree head is signed by the key that was in force at its size.

    `keys` is the history, oldest first, as `verify_keys` accepts it.
    """
    key = key_at(keys, head.size)
    if key is None or key.key_id != head.key_id:
        return False
    content = head_bytes(head.size, head.root, head.at_us, head.key_id)
    return verify_signature(key.public, head.signature, content)


def verify_keys(keys: Sequence[LogKey]) -> bool:
    """Whether each key names its predecessor and is signed by it, the first by itself."""
    before: LogKey | None = None
    for key in keys:
        signer = before or key
        content = key_bytes(key.public, key.previous, key.at_us)
        is_next = (
            key.previous is None
            if before is None
            else key.previous == before.key_id and key.leaf_index > before.leaf_index
        )
        if not (
            is_next
            and verify_signature(signer.public, key.signature, content)
            and verify_signature(key.public, key.own_signature, content)
        ):
            return False
        before = key
    return before is not None


def key_at(keys: Sequence[LogKey], size: int) -> LogKey | None:
    """The key in force in a tree of `size` leaves: the last that these leaves name."""
    return next((key for key in reversed(keys) if key.leaf_index < size), None)


def verify_signature(public: bytes, signature: bytes, content: bytes) -> bool:
    """Whether an Ed25519 signature (RFC 8032) is this key's over these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
