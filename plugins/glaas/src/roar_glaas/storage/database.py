"""Connections to the registry's database: many readers, one writer at a time, on both engines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from roar_glaas.errors import GlaasError

# Advisory lock of PostgreSQL under which records are appended: "glaas" in ASCII.
_APPEND_LOCK = 0x676C616173
_BUSY_TIMEOUT_MS = 20_000

REQUESTS_AT_ONCE = 64
"""How many threads of a process answer. Who waits to write keeps one, but no connection."""

# Of one process. PostgreSQL allows 100 in all unless told, for all processes together.
_CONNECTIONS = 20


class Database:
    """The registry's database. Thread-safe; one per process.

    `read` gives one consistent snapshot. `write` is a transaction that commits at its end and rolls
    back on any exception; `append` is a `write` that is alone in adding to the log, whatever the
    number of server processes.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.is_postgresql = engine.dialect.name == "postgresql"
        # The driver says BEGIN and COMMIT by itself otherwise, each at the cost of a round trip.
        self._explicit = engine.execution_options(isolation_level="AUTOCOMMIT")
        # SQLite has one writer, the log has one: whoever waits here holds no connection meanwhile.
        # And waiting for SQLite's file lock is not fair.
        self._writer = threading.Lock()
        # Called at the end of every `append`: signs the tree (`log.signing`).
        self.seal: Callable[[sa.Connection], None] | None = None

    @contextmanager
    def read(self, longest_s: float | None = None) -> Iterator[sa.Connection]:
        """A connection whose statements all see the same state, and that cannot write.

        PostgreSQL stops a statement that takes longer than `longest_s`; of SQLite see `limits`.
        """
        if self.is_postgresql:
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            if longest_s is not None:
                begin += f"; SET LOCAL statement_timeout = {round(longest_s * 1e3)}"
            with self._begun(begin) as connection:
                yield connection
            return
        with self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that may change anything but the log and what is registered."""
        if self.is_postgresql:
            with self._begun("BEGIN") as connection:
                yield connection
                connection.exec_driver_sql("COMMIT")
            return
        with self._writer, self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    @contextmanager
    def append(self) -> Iterator[sa.Connection]:
        """A transaction that adds to the log: one at a time, in all processes."""
        # Of SQLite `write` takes the lock itself.
        with self._writer if self.is_postgresql else nullcontext(), self.write() as connection:
            if self.is_postgresql:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_APPEND_LOCK})")
            yield connection
            if self.seal is not None:
                self.seal(connection)

    @contextmanager
    def _begun(self, begin: str) -> Iterator[sa.Connection]:
        """A connection of PostgreSQL on which `begin` was said; rolled back unless committed.

        What begins a transaction also finds out that the server went away and came back, and is
        then said once more on a new connection: no question of its own is spent on that.
        """
        connection = self._explicit.connect()
        try:
            try:
                connection.exec_driver_sql(begin)
            except sa.exc.DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                connection.close()
                connection = self._explicit.connect()
                connection.exec_driver_sql(begin)
            yield connection
        finally:
            # Given back to the pool, it is rolled back when a transaction is left open.
            connection.close()

    def dispose(self) -> None:
        """Close every connection; so does the end of a `with` block of the database."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dispose()


def open_database(address: str) -> Database:
    """The database at a URL: `sqlite:///FILE`, or `postgresql://USER@HOST/NAME`.

    Raises GlaasError for another kind of database and for a missing driver. Does not connect.
    """
    try:
        url = make_url(address)
    except sa.exc.ArgumentError as error:
        raise GlaasError(
            f"{address!r} is no database URL; write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    if url.get_backend_name() == "sqlite":
        return Database(_sqlite(url))
    if url.get_backend_name() in ("postgresql", "postgres"):
        return Database(_postgresql(url))
    raise GlaasError(
        f"no support for {url.get_backend_name()!r} databases; use sqlite or postgresql"
    )


def sqlite_address(file: Path) -> str:
    """The URL of an SQLite file."""
    return URL.create("sqlite", database=str(file)).render_as_string()


def _sqlite(url: URL) -> sa.Engine:
    # isolation_level None: this module says BEGIN itself, the driver must not.
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        connect_args={"check_same_thread": False, "isolation_level": None},
        pool_size=REQUESTS_AT_ONCE,
        hide_parameters=True,  # an error's text goes to the log; what was registered must not
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA page_size = 8192")
        cursor.execute("PRAGMA journal_mode = WAL")
        # A registration that was acknowledged must survive a power cut.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA cache_size = -65536")
        cursor.execute("PRAGMA mmap_size = 268435456")
        cursor.close()

    return engine


def _postgresql(url: URL) -> sa.Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise GlaasError(
            "PostgreSQL needs its driver; install it with: pip install 'psycopg[binary]'"
        ) from error
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=_CONNECTIONS,
        max_overflow=0,
        hide_parameters=True,
        # What a connection has prepared, only that connection has.
        pool_use_lifo=True,
        connect_args={"connect_timeout": 10, "options": "-c jit=off"},
    )
