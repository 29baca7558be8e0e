"""Labels: documents attached to jobs, artifacts and sessions. Every change is a new version."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

EntityKind = Literal["session", "job", "artifact"]
Origin = Literal["user", "system"]


class LabelVersion(NamedTuple):
    """One version of a document; the highest counts."""

    version: int
    labels: dict[str, Any]
    origin: Origin
    written_at_ns: int


def write_labels(
    db: sqlite3.Connection, kind: EntityKind, entity: int, labels: Mapping[str, Any], now_ns: int
) -> None:
    """Make `labels` the newest version, unless that says the same; inside a transaction."""
    change_labels(db, kind, entity, lambda _: labels, now_ns)


def change_labels(
    db: sqlite3.Connection,
    kind: EntityKind,
    entity: int,
    change: Callable[[dict[str, Any]], Mapping[str, Any]],
    now_ns: int,
    origin: Origin = "user",
) -> int | None:
    """Add the version that `change` makes of the newest; None when it says the same.

    Must run inside a transaction, so that of two writers at once none undoes the other.
    """
    newest = _newest(db, kind, entity)
    before = newest.labels if newest else {}
    metadata = json.dumps(dict(change(before)), sort_keys=True)
    if metadata == json.dumps(before, sort_keys=True):
        return None
    version = newest.version + 1 if newest else 1
    db.execute(
        "INSERT INTO label VALUES (?, ?, ?, ?, ?, ?)",
        (kind, entity, version, metadata, origin, now_ns),
    )
    return version


def read_labels(db: sqlite3.Connection, kind: EntityKind, entity: int) -> dict[str, Any]:
    """Return the newest version, empty when there is none."""
    newest = _newest(db, kind, entity)
    return newest.labels if newest else {}


def label_history(db: sqlite3.Connection, kind: EntityKind, entity: int) -> list[LabelVersion]:
    """Return every version, newest first."""
    return [
        LabelVersion(version, json.loads(metadata), origin, written_at_ns)
        for version, metadata, origin, written_at_ns in db.execute(
            "SELECT version, metadata, origin, written_at_ns FROM label "
            "WHERE entity_type = ? AND entity = ? ORDER BY version DESC",
            (kind, entity),
        )
    ]


def _newest(db: sqlite3.Connection, kind: EntityKind, entity: int) -> LabelVersion | None:
    row = db.execute(
        "SELECT version, metadata, origin, written_at_ns FROM label "
        "WHERE entity_type = ? AND entity = ? ORDER BY version DESC LIMIT 1",
        (kind, entity),
    ).fetchone()
    return None if row is None else LabelVersion(row[0], json.loads(row[1]), *row[2:])
