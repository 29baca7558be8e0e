"""Records of the log as a caller may see them: leaf hashes are everybody's, bytes are not."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.errors import NotFound
from roar_glaas.log.proofs import log_size
from roar_glaas.storage.tables import leaf, record_bytes, session, withheld

Entry = dict[str, Any]

MOST_ENTRIES = 1000
# About as many bytes of records in one page; at least one record is in it, however large.
_PAGE_BYTES = 8 * 1024 * 1024
# Records about the log itself, which belong to no session.
_EVERYBODYS = ("key", "withheld")


def entries(connection: sa.Connection, caller: Caller, start: int, limit: int) -> list[Entry]:
    """The records from leaf `start` on, `limit` of them or as many as fit into a page.

    `kind`, `atUs`, `salt` and `record` are None where the caller may not see the record's session;
    `withheld` says why there is no record any more. The leaf's hash is that of the byte 0, the
    salt, and the record in UTF-8.
    """
    sizes = connection.execute(
        sa.select(leaf.c.index, sa.func.length(record_bytes.c.bytes))
        .outerjoin(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
        .where(leaf.c.index >= start)
        .order_by(leaf.c.index)
        .limit(limit)
    ).all()
    end, total = start, 0
    for index, length in sizes:
        total += length or 0
        if total > _PAGE_BYTES and end > start:
            break
        end = index + 1
    rows = connection.execute(
        sa.select(
            leaf.c.index.label("leaf_index"),
            leaf.c.hash,
            leaf.c.kind,
            leaf.c.at_us,
            record_bytes.c.salt,
            record_bytes.c.bytes,
            withheld.c.reason,
            withheld.c.at_us.label("withheld_at_us"),
            withheld.c.record_index,
        )
        .outerjoin(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
        .outerjoin(withheld, withheld.c.leaf_index == leaf.c.index)
        .where(leaf.c.index >= start, leaf.c.index < end)
        .order_by(leaf.c.index)
    ).all()
    owners = {row.leaf_index: _session_of(row) for row in rows}
    seen = _visible_sessions(connection, caller, {owner for owner in owners.values() if owner})
    return [_entry(row, is_told=_is_told(row, owners[row.leaf_index], seen)) for row in rows]


def entry(connection: sa.Connection, caller: Caller, index: int) -> Entry:
    """One record; raises NotFound when the log has none of this number."""
    if not 0 <= index < log_size(connection):
        raise NotFound(f"the log has no record {index}")
    (found,) = entries(connection, caller, index, 1)
    return found


def _session_of(row: Any) -> str | None:
    """The session that a record belongs to, in hexadecimal; each says so itself."""
    if row.bytes is None or row.kind in _EVERYBODYS:
        return None
    try:
        found = json.loads(bytes(row.bytes))["session"]
        return bytes.fromhex(found).hex()
    except (ValueError, KeyError, TypeError):
        # Meddled with, as `glaas verify` will tell: whose it is cannot be known.
        return None


def _visible_sessions(connection: sa.Connection, caller: Caller, hashes: set[str]) -> set[str]:
    if not hashes:
        return set()
    rows = connection.execute(
        sa.select(session.c.hash).where(
            session.c.hash.in_([bytes.fromhex(found) for found in sorted(hashes)]), visible(caller)
        )
    ).scalars()
    return {bytes(found).hex() for found in rows}


def _is_told(row: Any, owner: str | None, seen: set[str]) -> bool:
    return row.bytes is not None and (row.kind in _EVERYBODYS or owner in seen)


def _entry(row: Any, *, is_told: bool) -> Entry:
    why = None
    if row.reason is not None:
        why = {
            "reason": row.reason,
            "atUs": row.withheld_at_us,
            "recordIndex": row.record_index,
        }
    return {
        "leafIndex": row.leaf_index,
        "leafHash": bytes(row.hash).hex(),
        "kind": row.kind if is_told else None,
        "atUs": row.at_us if is_told else None,
        "salt": bytes(row.salt).hex() if is_told else None,
        "record": bytes(row.bytes).decode("utf-8") if is_told else None,
        "withheld": why,
    }
