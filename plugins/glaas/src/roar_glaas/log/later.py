"""Records that say more of a session after its own, and that no row names: the kind `scope`."""

from __future__ import annotations

import json

import sqlalchemy as sa

from roar_glaas.storage.tables import leaf, record_bytes


def later_records(connection: sa.Connection) -> dict[str, list[int]]:
    """Session hash -> the later records of it, in their order. Reads the whole list of leaves."""
    found: dict[str, list[int]] = {}
    rows = connection.execute(
        sa.select(leaf.c.index, record_bytes.c.bytes)
        .join(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
        .where(leaf.c.kind == "scope")
        .order_by(leaf.c.index)
    )
    for index, content in rows:
        found.setdefault(json.loads(bytes(content))["session"], []).append(index)
    return found
