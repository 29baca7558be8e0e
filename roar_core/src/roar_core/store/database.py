"""One open session database: its connection, its transactions, its errors as sentences."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from roar_core.store.connection import explained, open_database
from roar_core.store.filesystem import shared_memory_works

FILE_NAME = "roar.db"


class Database:
    """Holds the connection. Safe to use from several threads of one process: they take turns."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._turn = threading.RLock()

    @classmethod
    def open(
        cls,
        roar_dir: Path,
        *,
        create: bool = False,
        read_only: bool = False,
        wal_works: Callable[[Path], bool] = shared_memory_works,
    ) -> Self:
        """Open `roar_dir`/roar.db; `create` makes directory (0700) and file (0600) when missing.

        Raises NotFoundError when there is none, DatabaseError when it cannot be used.
        """
        path = roar_dir / FILE_NAME
        return cls(
            path, open_database(path, create=create, read_only=read_only, wal_works=wal_works)
        )

    def is_deleted(self) -> bool:
        """Whether somebody deleted the file since it was opened: what is written now is lost."""
        # Its inode is told by our own descriptors alone: the path may hold another file by now, and
        # a file that was moved keeps what is written. No /proc (other systems): nobody can tell.
        for descriptor in Path("/proc/self/fd").glob("*"):
            try:
                if str(descriptor.readlink()).endswith(f"/{FILE_NAME} (deleted)"):
                    return True
            except OSError:  # closed since it was listed
                continue
        return False

    def close(self) -> None:
        """Let go of the file; closing twice is fine."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for questions."""
        with self._turn, explained(self.path):
            yield self._connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for several questions that must see one state of the database."""
        with self.reading() as connection:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                # SQLite rolls back by itself after some errors (a full disk, damage).
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection inside one transaction, which any exception undoes."""
        with self._turn, explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
