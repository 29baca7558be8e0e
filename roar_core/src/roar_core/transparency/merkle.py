"""The tree of RFC 9162, section 2.1, as arithmetic: hashes, and which subtrees a proof is made of.

Pure. A subtree is told as the range of leaves it covers, `start` to `end` without the latter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

Range = tuple[int, int]

EMPTY_ROOT = hashlib.sha256().digest()
"""The root of a tree without leaves (RFC 9162, 2.1.1)."""


def leaf_hash(salt: bytes, content: bytes) -> bytes:
    """RFC 9162, 2.1.1: MTH({d}) = HASH(0x00 || d), where d is the salt and the bytes."""
    return hashlib.sha256(b"\0" + salt + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162, 2.1.1: HASH(0x01 || left || right)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose roots are the path of a leaf in a tree of `size` (RFC 9162, 2.1.3.1)."""
    found: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_part(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The subtrees that prove that `old` leaves begin a tree of `new` (RFC 9162, 2.1.4.1).

    Of no leaves, and of all of them, that needs no proof.
    """
    if old == 0:
        return []
    found: list[Range] = []
    start, end = 0, new
    while old != end:
        middle = start + _left_part(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    # The whole of the old tree is known to whoever checks; a part of it is not.
    return [*([(start, end)] if start else []), *found[::-1]]


def complete_subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up a range, from the left.

    The range is one of the above: it begins at a multiple of a power of two not below its length.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def joined(roots: list[bytes]) -> bytes:
    """The root of a range from those of its complete subtrees, which come from the left."""
    if not roots:
        return EMPTY_ROOT
    *rest, found = roots
    for left in reversed(rest):
        found = node_hash(left, found)
    return found


class Growing:
    """A tree that leaves are added to one by one; memory grows with its logarithm."""

    def __init__(self) -> None:
        self.size = 0
        # (level, root) of complete subtrees from the left, as a counter in base 2 has its digits.
        self._subtrees: list[tuple[int, bytes]] = []

    @classmethod
    def after(cls, size: int, path: Sequence[bytes]) -> Growing:
        """The tree of the first `size` leaves, none of which is needed.

        `path` is the inclusion path of the leaf that follows them, in the tree that ends with it:
        the roots of all complete subtrees before. Raises ValueError for one of another length.
        """
        levels = [level for level in range(size.bit_length()) if size >> level & 1]
        found = cls()
        found.size = size
        found._subtrees = list(zip(levels, path, strict=True))[::-1]
        return found

    def add(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        level, root = 0, leaf
        while self._subtrees and self._subtrees[-1][0] == level:
            root = node_hash(self._subtrees.pop()[1], root)
            level += 1
        self._subtrees.append((level, root))
        self.size += 1

    def root(self) -> bytes:
        """The root of the leaves so far."""
        return joined([root for _, root in self._subtrees])


def _left_part(size: int) -> int:
    """The largest power of two below `size`: how many leaves lie in the left part."""
    return 1 << ((size - 1).bit_length() - 1)
