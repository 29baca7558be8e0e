"""The lines of an export: which tables, and how their rows name each other without our numbers.

An export is NDJSON: `{"kind": "header", "format", "version", "exported_at_us"}`, then rows as
`{"kind": TABLE, "row": {COLUMN: VALUE}}` and the log's records that they were taken from, before
them, as `{"kind": "record", "number", "document"}`, then `{"kind": "end", "lines"}` with the number
of lines between.

A column that refers to a row of another table holds that row's name in place of a number: an
owner's or project's public id, a session's hash, `[session hash, job uid]`, an artifact's
`[algorithm, digest]`, `[session hash, n]` for the n-th dataset of a session. Bytes are hexadecimal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from roar_glaas.storage.tables import (
    artifact,
    artifact_fact,
    component,
    composite,
    digest_claim,
    edge,
    job,
    label,
    owner,
    project,
    session,
)

FORMAT = "glaas-export"
VERSION = 1

PEOPLE = (owner, project)
OF_SESSION = (job, artifact_fact, digest_claim, composite, component, edge)
"""What belongs to one session and refers to nothing outside it but artifacts."""
TABLES = {table.name: table for table in (*PEOPLE, session, artifact, *OF_SESSION, label)}
RECORD = "leaf_index"
"""The column that names the log's record a row was taken from: its number in the export."""

Name = Any
"""How a row is called in an export: a text, or a list of texts and numbers."""


def references(table: sa.Table) -> dict[str, str]:
    """Column -> the table whose id it holds."""
    return {
        column.name: key.column.table.name
        for column in table.columns
        for key in column.foreign_keys
        if key.column.name == "id" and key.column.table.name in TABLES
    }


def copied(table: sa.Table) -> tuple[str, ...]:
    """The columns that are told as they are: neither the row's own number nor a reference."""
    apart = {"id", RECORD, *references(table)}
    return tuple(column.name for column in table.columns if column.name not in apart)


def _binary(table: sa.Table) -> frozenset[str]:
    """The columns that hold bytes."""
    return frozenset(
        column.name for column in table.columns if isinstance(column.type, sa.LargeBinary)
    )


def spelled(table: sa.Table, row: Any, columns: Iterable[str]) -> dict[str, Any]:
    """Values of a row as JSON has them."""
    bytes_in = _binary(table)
    found = {}
    for name in columns:
        value = getattr(row, name)
        found[name] = bytes(value).hex() if name in bytes_in and value is not None else value
    return found
