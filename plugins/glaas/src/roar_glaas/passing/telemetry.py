"""Counts of telemetry's events by the name of the milestone and the day (UTC): nothing else."""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.moments import today
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.tables import telemetry_count

# Others are counted as one, so that nobody fills the table with names of their own.
TRIGGERS = frozenset(
    {
        *("first_seen_for_install_id", "first_seen_for_version", "init", "reset", "register"),
        *(f"{ordinal}_successful_roar_run" for ordinal in ("first", "second", "third")),
    }
)
OTHER = "other"


def count_event(connection: sa.Connection, trigger: str) -> None:
    """Count one event of today."""
    row = {
        "day": today(),
        "trigger": trigger if trigger in TRIGGERS else OTHER,
        "events": 1,
    }
    connection.execute(
        insert_of(connection)(telemetry_count)
        .values(row)
        .on_conflict_do_update(
            index_elements=[telemetry_count.c.day, telemetry_count.c.trigger],
            set_={"events": telemetry_count.c.events + 1},
        )
    )
