"""Inserting many rows with few statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

# Below SQLite's limit on bound variables before 3.32 (999).
CHUNK = 900
# Beyond this many, longer statements are no quicker any more.
_BOUND_MAX = 7000


def insert_rows(
    db: sqlite3.Connection, into: str, rows: Sequence[Sequence[Any]], *, verb: str = "INSERT"
) -> None:
    """Insert rows, in order, into a table and columns of ours, such as `task_part (job, part)`.

    Each statement takes as many as can be bound. `executemany` runs one for every row, and each run
    builds the list anew that a CHECK compares with: half of what an edge costs.
    """
    if not rows:
        return
    width = len(rows[0])
    marks = f"({', '.join('?' * width)})"
    step = min(_BOUND_MAX, db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)) // width
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        db.execute(
            f"{verb} INTO {into} VALUES {', '.join([marks] * len(some))}",
            tuple(chain.from_iterable(some)),
        )
