"""How much a registry holds."""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import (
    account,
    artifact,
    edge,
    job,
    label,
    leaf,
    registration,
    session,
)


def sizes(database: Database) -> dict[str, int]:
    """Numbers of things by name, in one snapshot; `database_bytes` in bytes."""
    with database.read() as connection:

        def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
            query = sa.select(sa.func.count()).select_from(table).where(*where)
            return connection.execute(query).scalar_one()

        size = "pg_database_size(current_database())"
        if not database.is_postgresql:
            size = "(SELECT page_count FROM pragma_page_count) * page_size FROM pragma_page_size"
        return {
            "sessions": count(session),
            "jobs": count(job),
            "artifacts": count(artifact),
            "edges": count(edge),
            "labels": count(label),
            "log_size": count(leaf),
            "open_registrations": count(registration, registration.c.state == "open"),
            "accounts": count(account),
            "database_bytes": connection.execute(sa.text(f"SELECT {size}")).scalar_one(),
        }
