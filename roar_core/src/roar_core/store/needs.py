"""Results that passed between tasks, and to their driver, without a file between them.

Who got a result names the task that gave it; that one may be merged later, or never. The attempt
that is meant is the newest that succeeded, else the newest: known anew whenever one is merged.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence

from roar_core.store.inserting import insert_rows
from roar_core.store.writer import Store, row_of


def add_driver_needs(store: Store, driver: str, backend: str, tasks: Iterable[str]) -> None:
    """Note the tasks whose results the driver itself got; those known already stay as they are."""
    with store.writing() as db:
        driver_id, _ = row_of(db, driver)
        insert_needs(db, ((driver_id, backend, task) for task in tasks))
        resolve_needs(db, driver_id, "need.job = ?", driver_id)


def unmet_needs(store: Store, driver: str, backend: str) -> int:
    """Return how many tasks have not reported whose results the driver or its tasks got."""
    with store.reading() as db:
        (number,) = db.execute(
            "SELECT count(DISTINCT need.task) FROM need WHERE backend = :backend "
            "AND producer IS NULL AND (job = (SELECT id FROM job WHERE uid = :uid) OR job IN "
            "(SELECT job FROM task WHERE driver = (SELECT id FROM job WHERE uid = :uid)))",
            {"backend": backend, "uid": driver},
        ).fetchone()
    return int(number)


def insert_needs(db: sqlite3.Connection, needs: Iterable[tuple[int, str, str]]) -> None:
    """Insert (job, backend, task) rows; those that are there already stay as they are."""
    insert_rows(db, "need (job, backend, task)", list(needs), verb="INSERT OR IGNORE")


def resolve_named(
    db: sqlite3.Connection, driver: int, backend: str, tasks: Collection[str]
) -> None:
    """Find anew who gave the results of these tasks of a driver, whoever got them."""
    resolve_needs(
        db,
        driver,
        "(need.task, need.backend) IN (SELECT value, ? FROM json_each(?)) AND (need.job = ? "
        "OR EXISTS (SELECT 1 FROM task WHERE task.job = need.job AND task.driver = ?))",
        *(backend, json.dumps(list(tasks)), driver, driver),
    )


def resolve_needs(db: sqlite3.Connection, driver: int, where: str, *values: object) -> None:
    """Find who gave the results in the rows of `need` that `where` (ours) picks."""
    db.execute(f"UPDATE need SET producer = {_GAVE} WHERE {where}", (driver, *values))  # noqa: S608
    db.execute(
        "UPDATE need SET given_at_ns = (SELECT started_at_ns "  # noqa: S608
        "+ CAST(coalesce(duration_s, 0) * 1e9 AS INTEGER) FROM job WHERE id = need.producer) "
        f"WHERE need.job = ? AND {where}",
        (driver, *values),
    )


# The attempt that a row of `need` means, among the tasks of a driver.
_GAVE = """(
    SELECT gave.job FROM task gave JOIN job ON job.id = gave.job
    WHERE gave.driver = ? AND gave.backend = need.backend AND gave.task = need.task
    AND gave.job <> need.job
    ORDER BY job.state = 'succeeded' DESC, gave.attempt DESC LIMIT 1)"""


def insert_known_needs(
    db: sqlite3.Connection, job: int, driver: int, producers: Sequence[int]
) -> None:
    """Insert the needs of a job of which the producers (ids) are known, as an import has them."""
    db.executemany(
        "INSERT OR IGNORE INTO need (job, backend, task, producer) "
        "SELECT ?, backend, task, job FROM task WHERE job = ?",
        [(job, producer) for producer in producers if producer != job],
    )
    resolve_needs(db, driver, "need.job = ?", job)
