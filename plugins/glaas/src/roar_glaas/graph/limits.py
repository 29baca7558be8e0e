"""No question holds the database up: what takes too long is stopped there, and told so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from roar_glaas.errors import Unprocessable
from roar_glaas.storage.database import Database

LONGEST_S = 10.0
ENOUGH_S = 2.0
"""A walk that took so long tells what it found, and that it is not all."""
# SQLite looks at the clock each time it has done so many steps: some milliseconds.
_STEPS = 100_000


@contextmanager
def reading(database: Database, longest_s: float = LONGEST_S) -> Iterator[sa.Connection]:
    """As `Database.read`; raises Unprocessable once the block's queries take longer than that."""
    ends_at = time.monotonic() + longest_s
    with database.read(longest_s) as connection:
        driver = connection.connection.driver_connection
        if driver is not None and not database.is_postgresql:
            driver.set_progress_handler(lambda: time.monotonic() > ends_at, _STEPS)
        try:
            yield connection
        except sa.exc.OperationalError as error:
            if time.monotonic() <= ends_at:
                raise
            raise Unprocessable(
                f"this takes longer than {longest_s:g} s; ask for less: a smaller limit, "
                "fewer hops, more words, or a shorter time"
            ) from error
        finally:
            if driver is not None and not database.is_postgresql:
                driver.set_progress_handler(None, 0)
