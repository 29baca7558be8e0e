"""How often the database is asked for the answers that have a budget: each time costs PostgreSQL
a round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from lineages import MODEL, register_all

from roar_glaas.access.caller import ANYBODY
from roar_glaas.graph.artifacts import describe, find_artifact
from roar_glaas.graph.limits import reading
from roar_glaas.graph.neighbours import jobs_at, producers
from roar_glaas.storage.database import Database, open_database

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """What the block has the database do, BEGIN included; the ROLLBACK at its end is not told."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


ASKED: dict[str, tuple[Callable[[sa.Connection], Any], int]] = {
    "by hash": (lambda c: describe(c, ANYBODY, find_artifact(c, ANYBODY, MODEL)), 6),
    "one hop": (lambda c: jobs_at(c, ANYBODY, find_artifact(c, ANYBODY, MODEL), "out"), 3),
    "producers": (
        lambda c: producers(c, ANYBODY, find_artifact(c, ANYBODY, MODEL), 100, None),
        5,
    ),
}


def test_the_database_is_asked_a_few_times(shared: Registry) -> None:
    register_all(shared)
    with shared.database() as database:
        for name, (ask, most) in ASKED.items():
            with counted(database) as asked, reading(database) as connection:
                ask(connection)
            assert len(asked) <= most, (name, asked)
            assert asked[0].startswith("BEGIN"), asked


def test_what_the_server_ended_is_begun_once_more(request: pytest.FixtureRequest) -> None:
    from plugins.glaas.tests.conftest import new_database

    url = new_database(request, Path(), "postgresql")
    with open_database(url) as database:
        for begun in (database.read, database.write, database.append):
            with database.read() as connection:
                process = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            with open_database(url) as other, other.write() as admin:
                admin.execute(sa.text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": process})
            with begun() as connection:
                found = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            assert found != process
