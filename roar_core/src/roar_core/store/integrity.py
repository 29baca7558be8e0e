"""Checking the session database, and saving into a new one what a damaged one still gives."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from roar_core.errors import NotFoundError
from roar_core.store.connection import explained, open_database, reachable, shown
from roar_core.store.filesystem import held
from roar_core.store.migrations import refuse_newer, version_of
from roar_core.store.salvage import salvage


class Recovery(NamedTuple):
    """What `recover` did: the damaged database is `kept`; `saved` counts rows by table.

    `lost` has a sentence for everything known to be missing. Jobs that lost edges, as far as their
    own counts tell, say so in their coverage (`damaged_database`).
    """

    kept: Path
    saved: dict[str, int]
    lost: tuple[str, ...]


def check(path: Path) -> list[str]:
    """Return what is wrong with the database at `path`, one sentence each; empty when all is well.

    Raises NotFoundError when there is none, DatabaseError when it cannot even be opened for other
    reasons than damage.
    """
    if not path.exists():
        raise NotFoundError(f"there is no database {shown(path)}")
    with explained(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            problems = [] if problems == ["ok"] else problems
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
                problems.append(f"row {row} of {table} names a row of {parent} that is missing")
            version = version_of(connection)
            refuse_newer(version, shown(path))
            if not problems and version == 0:
                problems.append("it holds no tables")
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            return [str(error)]
        finally:
            connection.close()
    return problems


def recover(path: Path) -> Recovery:
    """Keep the database at `path` aside and put a new one in its place with what could be read.

    Nothing else should use the database meanwhile. Raises NotFoundError when there is none and
    DatabaseError when it is newer than this roar, which then knows nothing of its tables.
    """
    if not path.exists():
        raise NotFoundError(f"there is no database {shown(path)}")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    kept = _free_name(path.with_name(f"{path.name}.corrupt-{stamp}"))
    fresh = path.with_name(path.name + ".recovering")
    with explained(path), reachable(path), held(path.with_name(path.name + ".lock")):
        _unlink_database(fresh)
        try:
            saved, lost, mode = _into_new(fresh, path)
            _keep_aside(path, kept)
            fresh.replace(path)
        finally:
            _unlink_database(fresh)
        connection = open_database(path)
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.close()
    return Recovery(kept, saved, tuple(lost))


def _into_new(fresh: Path, damaged: Path) -> tuple[dict[str, int], list[str], str]:
    """Make one file of what `damaged` gives; return also the journal mode it should have."""
    new = open_database(fresh, create=True)
    try:
        saved, lost = salvage(damaged, new)
        mode = new.execute("PRAGMA journal_mode").fetchone()[0]
        # Brings everything from the WAL into the file.
        new.execute("PRAGMA journal_mode = DELETE")
    finally:
        new.close()
    return saved, lost, mode


def _keep_aside(path: Path, kept: Path) -> None:
    try:
        # With a second name there is no moment without a database.
        os.link(path, kept)
    except OSError:
        path.rename(kept)
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        # Left behind, it would be applied to the new database.
        wal.rename(kept.with_name(kept.name + "-wal"))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)


def _free_name(wanted: Path) -> Path:
    name, number = wanted, 1
    while name.exists():
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}")
    return name


def _unlink_database(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal", ".lock"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
