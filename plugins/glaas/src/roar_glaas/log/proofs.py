"""Roots and proofs of the log, from its stored nodes: O(log n) rows each."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from roar_core.transparency.merkle import (
    Range,
    complete_subtrees,
    consistency_ranges,
    inclusion_ranges,
    joined,
)
from roar_glaas.storage.tables import leaf, node

# Nodes asked for in one statement: a proof of 2**60 leaves needs twice as many.
_AT_ONCE = 64


class Proof(NamedTuple):
    """A path of hashes, and the root that it leads to."""

    path: list[bytes]
    root: bytes


def log_size(connection: sa.Connection) -> int:
    """How many leaves the log has."""
    newest = connection.execute(sa.select(sa.func.max(leaf.c.index))).scalar()
    return 0 if newest is None else newest + 1


def root_of(connection: sa.Connection, size: int) -> bytes:
    """The root of the first `size` leaves, of which there must be as many."""
    return range_roots(connection, [(0, size)])[0]


def inclusion_proof(connection: sa.Connection, index: int, size: int) -> Proof:
    """That leaf `index` is in the tree of `size`; 0 <= index < size <= log_size."""
    *path, root = range_roots(connection, [*inclusion_ranges(index, size), (0, size)])
    return Proof(path, root)


def consistency_proof(connection: sa.Connection, old: int, new: int) -> Proof:
    """That the tree of `old` begins that of `new`; 0 <= old <= new <= log_size."""
    *path, root = range_roots(connection, [*consistency_ranges(old, new), (0, new)])
    return Proof(path, root)


def range_roots(connection: sa.Connection, ranges: list[Range]) -> list[bytes]:
    """The roots of these ranges of leaves, as `merkle` gives them."""
    parts = [list(complete_subtrees(start, end)) for start, end in ranges]
    wanted = sorted({part for found in parts for part in found})
    hashes: dict[tuple[int, int], bytes] = {}
    leaves = [index for level, index in wanted if level == 0]
    if leaves:
        rows = connection.execute(
            sa.select(leaf.c.index, leaf.c.hash).where(leaf.c.index.in_(leaves))
        )
        hashes |= {(0, index): bytes(digest) for index, digest in rows}
    nodes = [part for part in wanted if part[0]]
    for first in range(0, len(nodes), _AT_ONCE):
        any_of = [
            sa.and_(node.c.level == level, node.c.index == index)
            for level, index in nodes[first : first + _AT_ONCE]
        ]
        inner = connection.execute(
            sa.select(node.c.level, node.c.index, node.c.hash).where(sa.or_(*any_of))
        )
        hashes |= {(level, index): bytes(digest) for level, index, digest in inner}
    return [joined([hashes[part] for part in found]) for found in parts]
