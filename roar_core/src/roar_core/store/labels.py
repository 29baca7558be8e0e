"""Labels: documents attached to jobs, artifacts and sessions. Every change is a new version."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any


def write_labels(
    db: sqlite3.Connection, entity_type: str, entity: int, labels: Mapping[str, Any], now_ns: int
) -> None:
    """Add a version unless the newest one says the same; must run inside a transaction."""
    metadata = json.dumps(dict(labels), sort_keys=True)
    version, newest = db.execute(
        "SELECT version, metadata FROM label WHERE entity_type = ? AND entity = ? "
        "UNION ALL SELECT 0, '{}' ORDER BY version DESC LIMIT 1",
        (entity_type, entity),
    ).fetchone()
    if metadata != newest:
        db.execute(
            "INSERT INTO label VALUES (?, ?, ?, ?, 'user', ?)",
            (entity_type, entity, version + 1, metadata, now_ns),
        )


def read_labels(db: sqlite3.Connection, entity_type: str, entity: int) -> dict[str, Any]:
    """Return the newest version, empty when there is none."""
    row = db.execute(
        "SELECT metadata FROM label WHERE entity_type = ? AND entity = ? "
        "ORDER BY version DESC LIMIT 1",
        (entity_type, entity),
    ).fetchone()
    labels: dict[str, Any] = json.loads(row[0]) if row else {}
    return labels
