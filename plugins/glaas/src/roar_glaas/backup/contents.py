"""What a backup file is: an SQLite database with every table, and a note of what must be in it.

Anything that reads SQLite reads it. The note, in the table `glaas_backup`, has the number of rows
of each table, the size and root of the log, and the private key that signs the log's heads: who has
the file can sign in the registry's name, so it is 0600.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import sqlalchemy as sa

from roar_core.transparency.merkle import Growing
from roar_glaas.errors import GlaasError
from roar_glaas.storage.bulk import insert_rows
from roar_glaas.storage.tables import leaf, metadata

FORMAT = 1
_NOTE = "glaas_backup"
_ROWS_AT_ONCE = 5_000


@attrs.frozen
class Note:
    """What a backup says of itself."""

    taken_at_us: int
    counts: dict[str, int]
    log_size: int
    log_root: bytes
    # The file of the key in force, None when it was not on the host that made the backup.
    key: bytes | None

    def write(self, connection: sa.Connection) -> None:
        """Put it into the backup, whose transaction this is."""
        told = {
            "format": FORMAT,
            "taken_at_us": self.taken_at_us,
            "counts": self.counts,
            "log_size": self.log_size,
            "log_root": self.log_root.hex(),
        }
        connection.exec_driver_sql(f"CREATE TABLE {_NOTE} (note TEXT NOT NULL, key BLOB)")
        connection.exec_driver_sql(
            f"INSERT INTO {_NOTE} VALUES (?, ?)",  # noqa: S608 - a constant's name
            (json.dumps(told), self.key),
        )

    @classmethod
    def take_out(cls, connection: sa.Connection, file: Path) -> Note:
        """Remove it from a copy of the backup, which is then a database like any other.

        Raises GlaasError for what is no backup, and for that of a newer release.
        """
        if not sa.inspect(connection).has_table(_NOTE):
            raise GlaasError(f"{file} is a database, but no backup; make one with: glaas backup")
        text, key = connection.exec_driver_sql(f"SELECT * FROM {_NOTE}").one()  # noqa: S608
        connection.exec_driver_sql(f"DROP TABLE {_NOTE}")
        told = json.loads(text)
        if told["format"] != FORMAT:
            raise GlaasError(f"{file} was made by a newer release; install a newer roar-glaas")
        root = bytes.fromhex(told["log_root"])
        return cls(told["taken_at_us"], told["counts"], told["log_size"], root, key)


def count_rows(connection: sa.Connection) -> dict[str, int]:
    """The number of rows of every table."""
    return {
        table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


def replayed_root(connection: sa.Connection) -> tuple[int, bytes]:
    """The size of the log and its root, computed from every leaf, whatever its nodes say.

    Raises GlaasError when a leaf is missing.
    """
    tree = Growing()
    query = sa.select(leaf.c.index, leaf.c.hash).order_by(leaf.c.index)
    for index, digest in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        if index != tree.size:
            raise GlaasError(f"record {tree.size} of the log is missing")
        tree.add(bytes(digest))
    return tree.size, tree.root()


def copy_rows(
    source: sa.Connection, target: sa.Connection, progress: Callable[[str], None]
) -> None:
    """Copy every row into a schema that is new; `progress` is told each table's name."""
    for table in reversed(metadata.sorted_tables):
        if target.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            target.execute(sa.delete(table))  # what the schema is made with
    for table in metadata.sorted_tables:
        progress(table.name)
        columns = [column for column in table.columns if column.computed is None]
        names = tuple(column.name for column in columns)
        # In the order of their ids: a row refers to older ones of its table only.
        query = sa.select(*columns).order_by(*table.primary_key.columns)
        found = source.execute(query.execution_options(yield_per=_ROWS_AT_ONCE))
        for rows in found.partitions():
            insert_rows(target, table, names, rows)
        if target.dialect.name == "postgresql" and table.autoincrement_column is not None:
            _begin_after(target, table)


def differences(stated: dict[str, int], found: dict[str, int]) -> str:
    """Which counts are not as stated, in words; "" when all are."""
    return ", ".join(
        f"{found.get(name, 0)} of {count} rows in {name}"
        for name, count in stated.items()
        if found.get(name, 0) != count
    )


def _begin_after(target: sa.Connection, table: sa.Table) -> None:
    """Have PostgreSQL give out ids after those that were copied."""
    column = table.autoincrement_column
    assert column is not None
    newest: Any = target.execute(sa.select(sa.func.max(column))).scalar()
    if newest is not None and newest > 0:
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        target.execute(sa.select(sa.func.setval(sequence, newest)))
