"""Inserts that meet a row of the same key, on both databases."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def insert_of(connection: sa.Connection) -> Any:
    """The `insert` of the connection's database, which knows `on_conflict_do_update`."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert

        return insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert
