"""The database itself refuses to change what is registered."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from roar_glaas.errors import GlaasError
from roar_glaas.storage.database import open_database
from roar_glaas.storage.guards import FROZEN
from roar_glaas.storage.migrations import migrate
from roar_glaas.storage.tables import artifact


def test_a_registered_artifact_can_be_neither_changed_nor_deleted(database_url: str) -> None:
    database = open_database(database_url)
    migrate(database)
    with database.append() as connection:
        connection.execute(sa.insert(artifact), {"digest": b"a" * 32, "algorithm": "blake3"})
    for statement in (sa.delete(artifact), sa.update(artifact).values(algorithm="md5")):
        with (
            pytest.raises(sa.exc.DBAPIError, match="registered records are never changed"),
            database.append() as connection,
        ):
            connection.execute(statement)
    with database.read() as connection:
        assert connection.execute(sa.select(artifact.c.algorithm)).scalars().all() == ["blake3"]
    database.dispose()


@pytest.mark.parametrize("table", FROZEN)
def test_every_registered_table_is_guarded(database_url: str, table: str) -> None:
    database = open_database(database_url)
    migrate(database)
    with database.read() as connection:
        query = (
            "SELECT trigger_name FROM information_schema.triggers WHERE event_object_table = :t"
            if database.is_postgresql
            else "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"
        )
        found = set(connection.execute(sa.text(query), {"t": table}).scalars())
    assert found >= {f"{table}_update", f"{table}_delete"}
    database.dispose()


def test_a_database_that_is_migrated_is_left_as_it_is(database_url: str) -> None:
    for _ in range(2):
        database = open_database(database_url)
        migrate(database)
        database.dispose()


def test_a_database_of_a_newer_server_is_refused(database_url: str) -> None:
    database = open_database(database_url)
    migrate(database)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(GlaasError, match="install a newer roar-glaas"):
        migrate(database)
    database.dispose()
