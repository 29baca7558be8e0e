"""Take a backup of a registry while it is being used: one snapshot, and no writer waits."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roar_glaas.backup.contents import Note, copy_rows, count_rows, replayed_root
from roar_glaas.errors import GlaasError
from roar_glaas.log.keyfile import key_text
from roar_glaas.log.signing import key_in_force
from roar_glaas.moments import now_us
from roar_glaas.storage.database import Database, open_database, sqlite_address
from roar_glaas.storage.migrations import migrate

Progress = Callable[[str], None]


def take_backup(database: Database, data: Path, file: Path, progress: Progress) -> Note:
    """Write a backup into `file`, which must not be there; returns what it says of itself.

    Raises GlaasError when it cannot be written, and then leaves nothing. The file appears once it
    is whole and on the disk.
    """
    if file.exists():
        raise GlaasError(f"{file} is there already; choose another name")
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(database, part, progress)
        note = _conclude(part, data, progress)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        file.hardlink_to(part)
    except FileExistsError as error:
        raise GlaasError(f"{file} is there already; choose another name") from error
    except OSError as error:
        raise GlaasError(f"{file} cannot be written: {error.strerror}") from error
    except sqlite3.Error as error:
        raise GlaasError(f"{file} cannot be written: {error}") from error
    finally:
        remove_database(part)
    return note


def remove_database(file: Path) -> None:
    """Remove a file of SQLite, with what SQLite puts beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def make_single(file: Path) -> None:
    """Have a database that nobody uses be one file, with nothing beside it."""
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        connection.close()


def _copy(database: Database, part: Path, progress: Progress) -> None:
    with database.read() as source:
        if not database.is_postgresql:
            progress("pages")
            driver: Any = source.connection.driver_connection
            target = sqlite3.connect(part)
            try:
                # All pages in one step: a snapshot. In several steps, SQLite would begin anew
                # whenever another process wrote in between.
                driver.backup(target)
            finally:
                target.close()
            return
        with open_database(sqlite_address(part)) as copied:
            migrate(copied)
            with copied.write() as target_connection:
                copy_rows(source, target_connection, progress)


def _conclude(part: Path, data: Path, progress: Progress) -> Note:
    """Look at what was copied, and note it: the source may have gone on meanwhile."""
    progress("the log's root")
    with open_database(sqlite_address(part)) as copied, copied.write() as connection:
        size, root = replayed_root(connection)
        key = key_text(data, key_in_force(connection))
        note = Note(now_us(), count_rows(connection), size, root, key)
        note.write(connection)
    make_single(part)
    return note
