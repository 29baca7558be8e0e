"""Open a registry's database, made or migrated first: so the server and every command begin."""

from __future__ import annotations

import os

import sqlalchemy as sa

from roar_glaas.errors import GlaasError
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database, open_database
from roar_glaas.storage.migrations import migrate


def open_registry(settings: Settings) -> Database:
    """The database of these settings, its schema the newest. Raises GlaasError."""
    database = open_database(settings.database_url)
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(settings.data, os.R_OK | os.W_OK | os.X_OK):
            raise GlaasError(
                f"{settings.data} belongs to somebody else and may not be written to; "
                "give it to the user that serves, or name another directory with --data"
            )
        migrate(database)
    except OSError as error:
        raise GlaasError(
            f"{settings.data} cannot be the data directory: {error.strerror}"
        ) from error
    except sa.exc.DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise GlaasError(f"the database cannot be used: {reason}") from error
    return database
