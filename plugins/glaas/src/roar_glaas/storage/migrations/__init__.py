"""The schema's history (Alembic): forward only, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from roar_glaas.errors import GlaasError
from roar_glaas.storage.database import Database


def migrate(database: Database) -> None:
    """Bring the schema to the newest version; one process at a time does it.

    Raises GlaasError when the database was made by a newer server.
    """
    configuration = _configuration()
    with database.append() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        scripts = ScriptDirectory.from_config(configuration)
        known = {script.revision for script in scripts.walk_revisions()}
        if current is not None and current not in known:
            raise GlaasError(
                f"the database has schema {current}, which this server does not know; "
                "install a newer roar-glaas"
            )
        if current == scripts.get_current_head():
            return
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")


def has_newest_schema(database: Database) -> bool:
    """Whether the schema is that of this release; changes nothing."""
    with database.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current == ScriptDirectory.from_config(_configuration()).get_current_head()


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent))
    return configuration
