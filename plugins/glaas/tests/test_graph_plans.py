"""How SQLite answers what is asked most: by an index whose order is the answer's, never by a scan.

PostgreSQL chooses by what is in its tables; benchmarks/ measure it on a large registry.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from roar_glaas.access.caller import ANYBODY, Caller, Role
from roar_glaas.errors import NotFound
from roar_glaas.graph import files, jobs, labelled, neighbours, sessions
from roar_glaas.graph.artifacts import Found, find_artifact
from roar_glaas.graph.closure import uses_of, walk_down, walk_up
from roar_glaas.graph.membership import datasets_with, is_member
from roar_glaas.graph.producers import Producers
from roar_glaas.graph.uses import Use
from roar_glaas.storage.database import Database, open_database, sqlite_address
from roar_glaas.storage.migrations import migrate

SOMEBODY = Caller(owner_id=1, name="ada", owners={1: Role.READER}, projects={2: Role.READER})
THIS = Found(1, "blake3", "a" * 64)
SET = Found(1, "composite-blake3", "a" * 64)


def looked_for(connection: sa.Connection, caller: Caller) -> None:
    for reference in ("a" * 64, "a" * 12):
        with pytest.raises(NotFound):
            find_artifact(connection, caller, reference)


def one_job(connection: sa.Connection, caller: Caller) -> None:
    for reference in ("a" * 32, "a" * 64, "a" * 8):
        with pytest.raises(NotFound):
            jobs.find_job(connection, caller, reference)


ASKED: dict[str, Callable[[sa.Connection, Caller], Any]] = {
    "by hash": looked_for,
    "producers": lambda c, who: neighbours.producers(c, who, THIS, 100, None),
    "consumers": lambda c, who: neighbours.consumers(c, who, THIS, 100, None),
    "the rule": lambda c, who: Producers(c, who, 9).of([Use(1, 1, 1, 1), Use(2, 2, 1, 1)]),
    "uses": lambda c, who: list(uses_of(c, [1, 2, 3], "in")),
    "up": lambda c, who: list(walk_up(c, who, THIS, 9)),
    "down": lambda c, who: list(walk_down(c, who, THIS, 9)),
    "words": lambda c, who: jobs.find_jobs(c, who, jobs.Wanted(command="a b"), 100, None),
    "newest jobs": lambda c, who: jobs.find_jobs(c, who, jobs.Wanted(since_us=1), 100, None),
    "commit": lambda c, who: jobs.find_jobs(c, who, jobs.Wanted(commit="c" * 40), 100, None),
    "job": one_job,
    "job's hash": lambda c, who: jobs.find_jobs(c, who, jobs.Wanted(job_hash="a" * 64), 9, None),
    "sessions": lambda c, who: sessions.find_sessions(c, who, sessions.Wanted(), 100, None),
    "labels": lambda c, who: labelled.find_labels(c, who, "a", "b", None, 100, None),
    "label keys": lambda c, who: labelled.find_labels(c, who, "a", None, None, 100, None),
    "files": lambda c, who: files.find_files(c, who, "p/model.pt", None, 100, None),
    "member": lambda c, who: is_member(c, who, SET, "a" * 64, "blake3"),
    "datasets": lambda c, who: datasets_with(c, who, "a" * 64, "blake3", 100, None),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("plans")
    found = open_database(sqlite_address(folder / "glaas.db"))
    migrate(found)
    yield found
    found.dispose()


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("caller", [ANYBODY, SOMEBODY], ids=["anybody", "somebody"])
def test_nothing_is_scanned(database: Database, name: str, caller: Caller) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            asked.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        with database.read() as connection:
            ASKED[name](connection, caller)
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)
    assert asked
    with database.read() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [str(row.detail) for row in plan]
            scans = [
                step
                for step in steps
                if step.startswith("SCAN ")
                and not step.startswith(("SCAN job_words VIRTUAL", "SCAN CONSTANT"))
                and "USING INDEX ix_" not in step
                and not step.startswith(_SUBQUERIES)
            ]
            assert scans == [], (statement, steps)
            is_sorted = any("TEMP B-TREE FOR ORDER BY" in step for step in steps)
            assert not is_sorted or name in _SORTED, (statement, steps)


# Few rows of one artifact or dataset, or of several artifacts together.
_SORTED = {"up", "down", "member", "uses"}
# What the database made itself a moment before, of the rows that were asked for.
_SUBQUERIES = ("SCAN (subquery", "SCAN anon_")
