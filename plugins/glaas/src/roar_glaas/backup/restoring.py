"""Restore a backup into an empty place, on either engine, and check that all of it is there."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from roar_glaas.backup.contents import Note, copy_rows, count_rows, differences, replayed_root
from roar_glaas.backup.taking import make_single, remove_database
from roar_glaas.errors import GlaasError
from roar_glaas.log.keyfile import has_key, put_key
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database, open_database, sqlite_address
from roar_glaas.storage.migrations import migrate
from roar_glaas.storage.tables import metadata, owner

Progress = Callable[[str], None]


def restore_backup(source: BinaryIO, name: str, settings: Settings, progress: Progress) -> Note:
    """Restore the backup that `source` has, called `name`; returns what it says of itself.

    An older release's is brought to this one's schema. Raises GlaasError when the place is not
    empty, or the backup is none, is damaged, or is newer; the place is then as it was, but for an
    empty schema in PostgreSQL.
    """
    data = settings.data
    place = open_database(settings.database_url)
    part = data / f".restore.{os.getpid()}"
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_empty(place, data)
        progress("pages")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        note = _check(part, name, progress)
        if place.is_postgresql:
            _load(part, place, note, progress)
        else:
            make_single(part)
            with part.open("rb") as written:
                os.fsync(written.fileno())
            _file_of(place).hardlink_to(part)
        if note.key is not None:
            put_key(data, note.key)
    except OSError as error:
        raise GlaasError(f"{data} cannot be restored into: {error.strerror}") from error
    except sa.exc.DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise GlaasError(f"the database cannot be used: {reason}") from error
    finally:
        place.dispose()
        remove_database(part)
    return note


def _file_of(place: Database) -> Path:
    return Path(str(make_url(str(place.engine.url)).database))


def _check_empty(place: Database, data: Path) -> None:
    if has_key(data):
        raise GlaasError(f"{data} holds a registry's key already; restore into an empty directory")
    if not place.is_postgresql:
        if _file_of(place).exists():
            raise GlaasError(f"{_file_of(place)} is there already; restore into an empty place")
        return
    with place.read() as connection:
        there = set(sa.inspect(connection).get_table_names())
        for table in metadata.sorted_tables:
            query = sa.select(sa.literal(1)).select_from(table)
            if table is owner:
                query = query.where(owner.c.id != 0)
            if table.name in there and connection.execute(query.limit(1)).first():
                raise GlaasError("the database holds a registry already; restore into an empty one")


def _check(part: Path, name: str, progress: Progress) -> Note:
    """See that a copy is a whole backup, and make it a database of this release."""
    progress("the backup itself")
    try:
        connection = sqlite3.connect(part)
        try:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise GlaasError(f"{name} is no backup, or is damaged: {error}") from error
    if verdict != "ok":
        raise GlaasError(f"{name} is damaged: {verdict.splitlines()[0]}")
    with open_database(sqlite_address(part)) as copy:
        with copy.write() as connection_of_copy:
            note = Note.take_out(connection_of_copy, Path(name))
        migrate(copy)
        with copy.read() as connection_of_copy:
            _compare(connection_of_copy, note, name)
    return note


def _compare(connection: sa.Connection, note: Note, name: str) -> None:
    told = differences(note.counts, count_rows(connection))
    if told:
        raise GlaasError(f"{name} is not whole: {told}")
    if replayed_root(connection) != (note.log_size, note.log_root):
        raise GlaasError(f"{name} is damaged: its log has another root than it had")


def _load(part: Path, place: Database, note: Note, progress: Progress) -> None:
    migrate(place)
    with (
        open_database(sqlite_address(part)) as copy,
        copy.read() as source,
        place.append() as target,
    ):
        copy_rows(source, target, progress)
        progress("what was restored")
        _compare(target, note, "what was restored")
