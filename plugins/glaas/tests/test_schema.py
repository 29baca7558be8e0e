"""What the migrations make is what the tables, guards and indexes of this release say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from roar_glaas.storage.database import Database, open_database
from roar_glaas.storage.guards import guards
from roar_glaas.storage.migrations import migrate
from roar_glaas.storage.searching import command_index
from roar_glaas.storage.tables import metadata

if TYPE_CHECKING:
    import pytest

_SQLITE = "SELECT type || ' ' || name, sql FROM sqlite_master WHERE tbl_name != 'alembic_version'"
# Whatever PostgreSQL knows of what somebody made, as it says it itself.
_POSTGRESQL = """
SELECT 'column ' || table_name || '.' || column_name,
    concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default)
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name != 'alembic_version'
UNION ALL SELECT 'index ' || indexname, indexdef
    FROM pg_indexes WHERE schemaname = 'public' AND tablename != 'alembic_version'
UNION ALL SELECT 'constraint ' || conname, conrelid::regclass || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    AND conrelid::regclass::text != 'alembic_version'
UNION ALL SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function ' || proname, pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def schema(database: Database) -> dict[str, str]:
    """What there is, by its name; spaces say nothing."""
    with database.read() as connection:
        rows = connection.execute(sa.text(_POSTGRESQL if database.is_postgresql else _SQLITE))
        return {name: re.sub(r"\s+", " ", text or "").strip() for name, text in rows}


def test_the_migrations_make_the_schema_of_this_release(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> None:
    from plugins.glaas.tests.conftest import new_database

    engine = database_url.partition(":")[0]
    (tmp_path / "now").mkdir()
    with open_database(database_url) as migrated:
        migrate(migrated)
        with open_database(new_database(request, tmp_path / "now", engine)) as now:
            with now.append() as connection:
                metadata.create_all(connection)
                for statement in (*guards(engine), *command_index(engine)):
                    connection.execute(sa.text(statement))
            found, wanted = schema(migrated), schema(now)
    assert len(wanted) > 100
    assert found == wanted
