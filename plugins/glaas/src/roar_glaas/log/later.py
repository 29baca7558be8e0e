"""Records that say more of a session after its own, and that no row names: `edges` and `scope`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from roar_glaas.storage.tables import leaf, record_bytes


def later_edges(connection: sa.Connection) -> Iterator[tuple[int, dict[str, Any]]]:
    """(leaf index, document) of the records `edges`, in their order, but for those withheld.

    They tell what a job of the legacy path read and wrote. Reads the whole list of leaves.
    """
    return _of_kinds(connection, "edges")


def later_records(connection: sa.Connection) -> dict[str, list[int]]:
    """Session hash -> the later records of it, in their order. Reads the whole list of leaves."""
    found: dict[str, list[int]] = {}
    for index, document in _of_kinds(connection, "edges", "scope"):
        found.setdefault(document["session"], []).append(index)
    return found


def _of_kinds(connection: sa.Connection, *kinds: str) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = connection.execute(
        sa.select(leaf.c.index, record_bytes.c.bytes)
        .join(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
        .where(leaf.c.kind.in_(kinds))
        .order_by(leaf.c.index)
    )
    for index, content in rows:
        yield index, json.loads(bytes(content))
