"""Rows go in together, in order, however many there are."""

from __future__ import annotations

import sqlite3

import pytest

from roar_core.store.inserting import insert_rows


@pytest.mark.parametrize("number", [0, 1, 449, 450, 451, 2_000])
def test_all_rows_go_in_in_order(number: int) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name, size)")
    rows = [(f"name {each}", each) for each in range(number)]
    insert_rows(db, "item (name, size)", rows)
    assert db.execute("SELECT name, size FROM item ORDER BY id").fetchall() == rows
    db.close()


def test_rows_that_are_there_may_stay_as_they_are() -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE item (name PRIMARY KEY, size)")
    insert_rows(db, "item (name, size)", [("a", 1)])
    insert_rows(db, "item (name, size)", [("a", 2), ("b", 3)], verb="INSERT OR IGNORE")
    assert db.execute("SELECT * FROM item ORDER BY name").fetchall() == [("a", 1), ("b", 3)]
    db.close()
