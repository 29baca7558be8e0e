"""Telemetry of clients (GLaaS v1, section 8; docs/telemetry.md says what an event has in it).

An event is looked at, answered, and forgotten. Only where the operator says `telemetry_counts` is
it counted, by the name of the milestone and the day. Addresses, ids, versions and counters never
are.
"""

from __future__ import annotations

import attrs
from litestar import post

from roar_glaas.moments import today
from roar_glaas.settings import Settings
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import telemetry_count

MOST_BYTES = 64 * 1024
# Others are counted as one, so that nobody fills the table with names of their own.
TRIGGERS = frozenset(
    {
        *("first_seen_for_install_id", "first_seen_for_version", "init", "reset", "register"),
        *(f"{ordinal}_successful_roar_run" for ordinal in ("first", "second", "third")),
    }
)
OTHER = "other"


@attrs.frozen(kw_only=True)
class Event:
    """The part of an event that is looked at."""

    payload_schema_version: int
    trigger: str


@post(
    "/api/v1/telemetry/roar", status_code=204, sync_to_thread=True, request_max_body_size=MOST_BYTES
)
def telemetry(settings: Settings, database: Database, data: Event) -> None:
    """Take one event: 204, which is what clients delete it after."""
    if not settings.telemetry_counts:
        return
    row = {
        "day": today(),
        "trigger": data.trigger if data.trigger in TRIGGERS else OTHER,
        "events": 1,
    }
    with database.write() as connection:
        connection.execute(
            insert_of(connection)(telemetry_count)
            .values(row)
            .on_conflict_do_update(
                index_elements=[telemetry_count.c.day, telemetry_count.c.trigger],
                set_={"events": telemetry_count.c.events + 1},
            )
        )
