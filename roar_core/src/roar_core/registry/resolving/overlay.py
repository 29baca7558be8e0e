"""A copy of the session database that what a registry told is imported into.

It is private to this process and gone when it is closed: SQLite keeps it in memory, and what does
not fit in a temporary file of no name (sqlite.org/inmemorydb.html, "Temporary Databases").
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from roar_core.errors import RoarError
from roar_core.registry.resolving.checking import Checked
from roar_core.store.connection import explained
from roar_core.store.migrations import migrate
from roar_core.store.writer import Store

if TYPE_CHECKING:
    from roar_core.project import Project

_CACHE_KIB = 256 * 1024


def overlay_of(local: Store | None, project: Project) -> Store:
    """A copy of the project's database, or an empty one; the caller closes it."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    try:
        with explained(project.database):
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA trusted_schema = OFF")
            if local is None:
                migrate(connection, time.time_ns())
            else:
                with local.reading() as source:
                    source.backup(connection)
            connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return Store(project.database, connection)


def lay_over(store: Store, told: Checked, project: Project, registry: str) -> None:
    """Import what a registry told into a copy; its sessions are then called by their addresses.

    What contradicts itself is left out, and said in `told.left_out`.
    """
    from roar_core.export.entering import import_graph

    root, now_ns = str(project.root), time.time_ns()
    try:
        import_graph(store, told, root, now_ns)
    except RoarError:
        # All or nothing is right for a file; of a registry's answer the rest is of use.
        for part in (None, *told.jobs()):
            try:
                import_graph(store, told.only(part), root, now_ns)
            except RoarError as error:
                told.left_out.append(str(error))
    with store.writing() as db:
        db.executemany(
            "UPDATE imported_session SET origin = ? WHERE origin = ?",
            [
                (address_of_session(registry, registration), session)
                for session, registration in told.sessions_by_id.items()
            ],
        )


def address_of_session(registry: str, registration: str) -> str:
    """The page of a registered session, by which it is called in a copy."""
    return f"{registry}/dag/{registration}"


def session_number(store: Store, registry: str, registration: str) -> int | None:
    """The number of a registered session in a copy; None when no job of it was laid over."""
    with store.reading() as db:
        row = db.execute(
            "SELECT session FROM imported_session WHERE origin = ?",
            (address_of_session(registry, registration),),
        ).fetchone()
    return None if row is None else int(row[0])
