"""The labels that a registry and this database last had in common: what changes are told from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from roar_core.store.labels import EntityKind


class Agreement(NamedTuple):
    """Labels that both sides had; `version` is the registry's number of them, 0 for none."""

    version: int = 0
    labels: Mapping[str, Any] = {}


def read_agreement(
    db: sqlite3.Connection, kind: EntityKind, entity: int, registry: str, session_hash: str
) -> Agreement:
    """What was agreed last; nothing when the two never spoke of it."""
    row = db.execute(
        "SELECT version, metadata FROM label_agreed WHERE entity_type = ? AND entity = ? "
        "AND registry = ? AND session_hash = ?",
        (kind, entity, registry, session_hash),
    ).fetchone()
    return Agreement() if row is None else Agreement(row[0], json.loads(row[1]))


def keep_agreement(
    db: sqlite3.Connection,
    kind: EntityKind,
    entity: int,
    registry: str,
    session_hash: str,
    agreement: Agreement,
    now_ns: int,
) -> None:
    """Put it in place of the one before; inside a transaction."""
    metadata = json.dumps(dict(agreement.labels), sort_keys=True)
    db.execute(
        "INSERT OR REPLACE INTO label_agreed VALUES (?, ?, ?, ?, ?, ?, ?)",
        (kind, entity, registry, session_hash, agreement.version, metadata, now_ns),
    )
