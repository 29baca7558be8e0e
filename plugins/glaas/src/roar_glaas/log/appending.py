"""Append records to the log: leaves numbered without a hole, inner nodes as they complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_core.transparency.merkle import leaf_hash, node_hash
from roar_glaas.canonical import canonical_bytes
from roar_glaas.log.proofs import log_size
from roar_glaas.storage.bulk import insert_rows
from roar_glaas.storage.tables import leaf, node, record_bytes

_SALT_BYTES = 32


class Record(NamedTuple):
    """One thing to be accepted: its kind, and what it says, without floats (RFC 8785 here)."""

    kind: str
    document: dict[str, Any]


def append(
    connection: sa.Connection,
    records: Sequence[Record],
    now_us: int,
    *,
    canonical: Callable[[Any], bytes] = canonical_bytes,
) -> range:
    """Append `records` in order; return their leaf indexes.

    Records that somebody else put together need a `canonical` that checks what it writes.

    Call it in `Database.append`: two writers at once would give one number twice. Memory and time
    grow with the records, and with the logarithm of the log.
    """
    first = log_size(connection)
    leaves, kept, complete = [], [], {}
    for index, record in enumerate(records, first):
        salt = os.urandom(_SALT_BYTES)
        content = canonical({"kind": record.kind, "v": 1, **record.document})
        digest = leaf_hash(salt, content)
        leaves.append((index, digest, record.kind, now_us))
        kept.append((index, salt, content))
        complete[0, index] = digest
    for level, index, left, right in _completed(connection, complete, first, first + len(records)):
        complete[level, index] = node_hash(left, right)
    inner = [(level, index, digest) for (level, index), digest in complete.items() if level]
    insert_rows(connection, leaf, ("index", "hash", "kind", "at_us"), leaves)
    insert_rows(connection, record_bytes, ("leaf_index", "salt", "bytes"), kept)
    insert_rows(connection, node, ("level", "index", "hash"), inner)
    return range(first, first + len(records))


def _completed(
    connection: sa.Connection, complete: dict[tuple[int, int], bytes], first: int, end: int
) -> Any:
    """(level, index, left, right) of every inner node that leaves from `first` to `end` complete.

    The caller puts each node's hash into `complete` before it asks for the next.
    """
    level, low, high = 1, first, end
    while (high := high // 2) > (low := low // 2):
        for index in range(low, high):
            yield (
                level,
                index,
                _hash_of(connection, complete, level - 1, 2 * index),
                _hash_of(connection, complete, level - 1, 2 * index + 1),
            )
        level += 1


def _hash_of(
    connection: sa.Connection, complete: dict[tuple[int, int], bytes], level: int, index: int
) -> bytes:
    found = complete.get((level, index))
    if found is None:
        query = (
            sa.select(leaf.c.hash).where(leaf.c.index == index)
            if level == 0
            else sa.select(node.c.hash).where(node.c.level == level, node.c.index == index)
        )
        found = bytes(connection.execute(query).scalar_one())
    return found
