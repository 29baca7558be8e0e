"""Opening the database file safely, and saying in one sentence why it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from roar_core.errors import DatabaseError, NotFoundError
from roar_core.store.filesystem import held, shared_memory_works
from roar_core.store.migrations import SCHEMA_VERSION, migrate, refuse_newer, version_of

BUSY_TIMEOUT_S = 30.0


def open_database(
    path: Path,
    *,
    create: bool = False,
    read_only: bool = False,
    wal_works: Callable[[Path], bool] = shared_memory_works,
) -> sqlite3.Connection:
    """Return a connection in autocommit mode to a database of this roar's schema.

    `create` makes it, and its directory, when missing; an older schema is upgraded either way.
    Raises NotFoundError when there is none, DatabaseError when it cannot be used.
    """
    with explained(path), reachable(path):
        if not path.exists():
            if not create:
                raise NotFoundError(
                    f"nothing is recorded here yet: {shown(path)} does not exist; "
                    "`roar run COMMAND` makes it"
                )
            if path.parent.exists() and not path.parent.is_dir():
                raise DatabaseError(f"{shown(path.parent)} is not a directory; move it away")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_current(path, wal_works)
        connection = _connect(path, read_only=read_only)
        version = version_of(connection)
        if version < SCHEMA_VERSION:
            connection.close()
            _make_current(path, wal_works)
            connection = _connect(path, read_only=read_only)
            version = version_of(connection)
        if version > SCHEMA_VERSION:
            connection.close()
            refuse_newer(version, shown(path))
        if not read_only and not wal_works(path.parent) and _uses_wal(connection):
            # Moved here from a disk of one machine.
            connection.close()
            _leave_wal(path)
            connection = _writable(path)
        connection.execute("PRAGMA foreign_keys = ON")
        # A database that came with somebody's checkout runs no functions of its own choosing.
        connection.execute("PRAGMA trusted_schema = OFF")
        # 32 MB at most, and only as far as it is used: a thousand tasks that are merged touch more
        # pages than the 2 MB that SQLite keeps by itself.
        connection.execute("PRAGMA cache_size = -32000")
        # A power cut may take the last transactions, never the database; a kill takes nothing.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Connect and look, so that a file that is no database fails here."""
    if not read_only:
        return _writable(path)
    try:
        return _looked_at(_raw(path, "ro"))
    except sqlite3.OperationalError as error:
        if _code(error) == sqlite3.SQLITE_IOERR_SHMSIZE:
            return _without_index(path)
        # In a read-only directory SQLite cannot make the WAL's index. Without a WAL there is
        # nothing to index and no one can write: the file alone is the database.
        wal = path.with_name(path.name + "-wal")
        if os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
            raise
        return _looked_at(_raw(path, "ro&immutable=1"))


def _without_index(path: Path) -> sqlite3.Connection:
    """Connect for reading where the disk has no room for the WAL's index; keeps others out."""
    connection = _raw(path, "rw")
    # Then the index is kept in memory: sqlite.org/wal.html, "Use of WAL Without Shared-Memory".
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA query_only = ON")
    return _looked_at(connection)


def _writable(path: Path) -> sqlite3.Connection:
    try:
        return _looked_at(_raw(path, "rw"))
    except sqlite3.OperationalError as error:
        if _code(error) not in _NO_SHARED_MEMORY:
            raise
    _leave_wal(path)
    return _looked_at(_raw(path, "rw"))


# What SQLite says where a file cannot be mapped by several processes (sqlite.org/rescode.html).
_NO_SHARED_MEMORY = (
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_PROTOCOL,
)


def _leave_wal(path: Path) -> None:
    """Bring a database back to a rollback journal, which needs no shared memory."""
    connection = _raw(path, "rw")
    try:
        # As in _without_index: SQLite reads what is left in the WAL without sharing memory.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        connection.close()


def _uses_wal(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA journal_mode").fetchone() == ("wal",))


def _raw(path: Path, mode: str) -> sqlite3.Connection:
    # check_same_thread: the early hasher asks the stat cache from its own thread, under our lock.
    return sqlite3.connect(
        f"file:{_uri_path(path)}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _looked_at(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _make_current(path: Path, wal_works: Callable[[Path], bool]) -> None:
    """Create or upgrade the database, one process at a time."""
    with held(path.with_name(path.name + ".lock")):
        # Created by us first: SQLite gives its -wal and -shm the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _writable(path)
        try:
            version = version_of(connection)
            refuse_newer(version, shown(path))
            if version == 0 and wal_works(path.parent):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.close()
                connection = _writable(path)
            if version < SCHEMA_VERSION:
                migrate(connection, time.time_ns())
        finally:
            connection.close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises about the database at `path` into a DatabaseError."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(_sentence(error, path)) from error


@contextmanager
def reachable(path: Path) -> Iterator[None]:
    """Turn what the file system raises while `path` is made or opened into a DatabaseError."""
    try:
        yield
    except OSError as error:
        raise DatabaseError(
            f"cannot use database {shown(path)}: {error.strerror or error}"
        ) from error


def _sentence(error: sqlite3.Error, path: Path) -> str:
    name = shown(path)
    match _PRIMARY.get(_code(error), _code(error) & 0xFF):
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return (
                f"database {name} is damaged ({error}); "
                "`roar db recover` keeps it aside and saves what can be read"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"database {name} has been locked for {BUSY_TIMEOUT_S:.0f} s; try again"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return (
                f"cannot write database {name} ({error}); check who may write {shown(path.parent)}"
            )
        case sqlite3.SQLITE_FULL:
            return (
                f"cannot write database {name}: no space left on its file system,"
                " or a limit on file sizes (ulimit -f)"
            )
        case _:
            return f"cannot use database {name}: {error}"


# The low byte of a code is its class (sqlite.org/rescode.html), but of these it hides the cause.
_PRIMARY = {sqlite3.SQLITE_IOERR_SHMSIZE: sqlite3.SQLITE_FULL}


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's extended result code, 0 when Python itself refused."""
    return int(getattr(error, "sqlite_errorcode", 0))


def shown(path: Path) -> str:
    """Return `path` as a message names it: relative when it is below the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _uri_path(path: Path) -> str:
    """Escape a path for an SQLite URI; urllib would cost a start-up 5 ms."""
    plain = b"/-._~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    raw = os.fsencode(path)
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in raw)
