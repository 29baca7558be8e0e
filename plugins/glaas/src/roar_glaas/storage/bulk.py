"""Many rows in one statement, on both engines: what makes a registration of thousands quick."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

# Statements with many more parameters than this are refused by SQLite before 3.32, and are slower
# to plan than several.
_AT_ONCE = 500
_IN_ARRAY = 10_000


def insert_rows(
    connection: sa.Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Insert `rows`, whose values are in the order of `columns`; other columns are NULL or given
    out by the database. Values go to the driver as they are: str, int, bool, bytes or None.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_sqlite_insert(table, columns), [tuple(row) for row in rows])
    else:
        _copy(connection, table, columns, rows)


def insert_of(connection: sa.Connection) -> Any:
    """The engine's own `insert`, which knows `on_conflict_do_update` and `on_conflict_do_nothing`:
    the two write it alike.
    """
    if connection.dialect.name == "sqlite":
        return sqlite.insert
    return postgresql.insert


def reserve_ids(connection: sa.Connection, table: sa.Table, count: int) -> list[int]:
    """Ids for `count` new rows of `table`, ascending. Call it in `Database.append`.

    SQLite: those that it would give out itself, while nobody else writes. PostgreSQL: of the
    column's sequence, so that they are never given out again, whoever inserts.
    """
    if connection.dialect.name == "sqlite":
        newest = connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
        return list(range(newest + 1, newest + 1 + count))
    sequence = sa.func.pg_get_serial_sequence(table.name, "id")
    numbers = sa.func.generate_series(1, count).table_valued("n")
    return sorted(
        connection.execute(sa.select(sa.func.nextval(sequence)).select_from(numbers)).scalars()
    )


def rows_with(
    connection: sa.Connection,
    query: sa.Select[Any],
    column: sa.Column[Any],
    values: Collection[Any],
) -> Iterator[sa.Row[Any]]:
    """The rows of `query` whose `column` is one of `values`, in several statements for many."""
    wanted = sorted(values)
    if connection.dialect.name == "postgresql":
        # An array makes the same statement of any number, which is then planned once.
        asked = query.where(column == sa.any_(sa.bindparam("wanted", type_=ARRAY(column.type))))
        for start in range(0, len(wanted), _IN_ARRAY):
            part = {"wanted": wanted[start : start + _IN_ARRAY]}
            yield from connection.execute(asked, part)
        return
    for start in range(0, len(wanted), _AT_ONCE):
        yield from connection.execute(query.where(column.in_(wanted[start : start + _AT_ONCE])))


@cache
def _sqlite_insert(table: sa.Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _copy(
    connection: sa.Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
) -> None:
    import psycopg

    names = ", ".join(f'"{name}"' for name in columns)
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # It quotes the row that it stopped at, which must not get into the server's log.
        told = type(error)(error.diag.message_primary or str(error))
        # What SQLAlchemy makes of its own statements' errors, so that they are told alike.
        raise sa.exc.DBAPIError.instance(
            statement, None, told, psycopg.Error, dialect=connection.dialect
        ) from None
