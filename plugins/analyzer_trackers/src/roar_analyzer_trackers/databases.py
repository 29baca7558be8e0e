"""Trackers' SQLite databases, read without leaving a trace and within bounds.

`mode=ro` is enough for a database with a rollback journal. On one in WAL mode it would create
`-wal` and `-shm`, or write into the `-shm` that a killed job left. With `readonly_shm` it does not,
as long as both are there (https://sqlite.org/wal.html, "Read-Only Databases"); where they are not,
`immutable` reads what the last checkpoint left in the main file, which is all unless a killed job's
`-shm` was removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from roar_analyzer_trackers.files import head, is_file

if TYPE_CHECKING:
    import sqlite3

_MAGIC = b"SQLite format 3\0"
# https://sqlite.org/fileformat2.html, 1.3: bytes 18 and 19 of the header are 2 in WAL mode.
_HEADER_BYTES, _VERSIONS, _WAL = 20, slice(18, 20), b"\2\2"
_MAX_ROWS = 1000
_MAX_VALUE_BYTES = 1 << 20
# In instructions of SQLite's machine, about a second of work: a schema may hold a view without end.
_STEPS_AT_ONCE, _MAX_STEPS = 100_000, 20_000_000


def rows(path: PurePath, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What `query` finds, at most 1,000 rows; nothing in a file that is no such database."""
    header = head(path, _HEADER_BYTES)
    if not header.startswith(_MAGIC):
        return []
    for mode in _modes(path, is_wal=header[_VERSIONS] == _WAL):
        found = _rows(path, mode, query, parameters)
        if found is not None:
            return found
    return []


def _modes(path: PurePath, *, is_wal: bool) -> Iterator[str]:
    if not is_wal:
        yield "mode=ro"
    elif all(is_file(path.with_name(path.name + end)) for end in ("-wal", "-shm")):
        yield "mode=ro&readonly_shm=1"
    yield "mode=ro&immutable=1"


def _rows(
    path: PurePath, mode: str, query: str, parameters: Sequence[Any]
) -> list[tuple[Any, ...]] | None:
    import sqlite3
    from contextlib import closing
    from urllib.parse import quote

    address = f"file:{quote(bytes(path))}?{mode}"
    try:
        with closing(sqlite3.connect(address, timeout=0.2, uri=True)) as connection:
            _bound(connection)
            return connection.execute(query, parameters).fetchmany(_MAX_ROWS)
    except (sqlite3.Error, sqlite3.Warning, OverflowError):
        return None


def _bound(connection: sqlite3.Connection) -> None:
    import sqlite3

    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    connection.text_factory = _text
    steps = 0

    def has_enough() -> bool:
        nonlocal steps
        steps += _STEPS_AT_ONCE
        return steps > _MAX_STEPS

    connection.set_progress_handler(has_enough, _STEPS_AT_ONCE)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
