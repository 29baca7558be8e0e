"""Read the records of a log in their order, and find what was done to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_core.identity import canonical_json
from roar_core.transparency.merkle import leaf_hash
from roar_glaas.audit.findings import Findings
from roar_glaas.storage.tables import leaf, record_bytes, withheld

BATCH = 1000
_BATCH_BYTES = 16 * 1024 * 1024


class Kept(NamedTuple):
    """One record; `document` is None when it is withheld, or not what its leaf says."""

    leaf_index: int
    kind: str
    digest: bytes
    document: dict[str, Any] | None
    is_withheld: bool


def read_records(connection: sa.Connection, findings: Findings) -> Iterator[list[Kept]]:
    """Every record, in batches without a hole, checked against its leaf's hash. Holes are told."""
    expected = 0
    while True:
        end = _batch_end(connection, expected)
        rows = connection.execute(
            sa.select(
                leaf.c.index.label("leaf_index"),
                leaf.c.hash,
                leaf.c.kind,
                record_bytes.c.salt,
                record_bytes.c.bytes,
                withheld.c.record_index,
            )
            .outerjoin(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
            .outerjoin(withheld, withheld.c.leaf_index == leaf.c.index)
            .where(leaf.c.index >= expected, leaf.c.index < end)
            .order_by(leaf.c.index)
        ).all()
        if not rows:
            return
        found: list[Kept] = []
        for row in rows:
            if row.leaf_index != expected:
                findings.add(
                    f"record {expected} is missing: its leaf was removed from the log", expected
                )
                if found:
                    yield found
                found = []
            expected = row.leaf_index + 1
            found.append(_kept(row, findings))
        yield found


def _batch_end(connection: sa.Connection, start: int) -> int:
    """Where a batch ends that holds as many records, and about as many bytes, as it should."""
    rows = connection.execute(
        sa.select(leaf.c.index, sa.func.length(record_bytes.c.bytes))
        .outerjoin(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
        .where(leaf.c.index >= start)
        .order_by(leaf.c.index)
        .limit(BATCH)
    )
    end, total = start, 0
    for index, length in rows.all():
        total += length or 0
        if total > _BATCH_BYTES and end > start:
            break
        end = index + 1
    return end


def _kept(row: Any, findings: Findings) -> Kept:
    index, kind, digest = row.leaf_index, row.kind, bytes(row.hash)
    is_withheld = row.record_index is not None
    document = None
    if row.bytes is None:
        if not is_withheld:
            findings.add(
                f"the bytes of record {index} ({kind}) are gone, and no record says that they "
                "were withheld",
                index,
            )
    elif is_withheld:
        findings.add(f"record {index} ({kind}) is said to be withheld, but is still here", index)
    elif leaf_hash(bytes(row.salt), bytes(row.bytes)) != digest:
        findings.add(
            f"record {index} ({kind}) was changed: its salt and bytes do not give its leaf", index
        )
    else:
        document = _document(bytes(row.bytes), index, kind, findings)
    return Kept(index, kind, digest, document, is_withheld)


def _document(content: bytes, index: int, kind: str, findings: Findings) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
        is_canonical = isinstance(found, dict) and canonical_json(found) == content
    except (ValueError, TypeError, RecursionError):
        is_canonical = False
    if not is_canonical:
        findings.add(f"record {index} ({kind}) is no canonical JSON object", index)
        return None
    if found.get("kind") != kind:
        findings.add(
            f"the leaf of record {index} says {kind}, the record says {found.get('kind')}", index
        )
        return None
    return dict(found)
