"""Open a registry to add to it: its directory, its database at the newest schema, its key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from roar_glaas.errors import GlaasError
from roar_glaas.log.signing import begin_log
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database, open_database
from roar_glaas.storage.migrations import has_newest_schema, migrate


def open_registry(settings: Settings) -> Database:
    """The database of a registry, whose every append is signed; what is not there yet is made.

    Raises GlaasError when the directory or the database cannot be used, or the key is missing.
    """
    database = open_database(settings.database_url)
    with _told(settings, database):
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(settings.data, os.R_OK | os.W_OK | os.X_OK):
            raise GlaasError(
                f"{settings.data} belongs to somebody else and may not be written to; "
                "give it to the user that serves, or name another directory with --data"
            )
        migrate(database)
        begin_log(database, settings.data)
    return database


def open_existing(settings: Settings) -> Database:
    """The database of a registry that must be there already, at the schema of this release.

    Changes nothing. Raises GlaasError when there is none, or when it has another schema.
    """
    if not settings.database and not (settings.data / "glaas.db").is_file():
        raise GlaasError(f"{settings.data} holds no registry; name another directory with --data")
    database = open_database(settings.database_url)
    with _told(settings, database):
        if not has_newest_schema(database):
            raise GlaasError("the database has another schema than this release; run: glaas init")
    return database


@contextmanager
def _told(settings: Settings, database: Database) -> Iterator[None]:
    """Close the database when it cannot be used, and say why in a sentence."""
    try:
        yield
    except OSError as error:
        database.dispose()
        raise GlaasError(
            f"{settings.data} cannot be the data directory: {error.strerror}"
        ) from error
    except sa.exc.DBAPIError as error:
        database.dispose()
        reason = str(error.orig).strip().splitlines()[0]
        raise GlaasError(f"the database cannot be used: {reason}") from error
    except GlaasError:
        database.dispose()
        raise
