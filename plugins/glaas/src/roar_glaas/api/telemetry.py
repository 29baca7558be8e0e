"""Telemetry of clients (GLaaS v1, section 8; docs/telemetry.md says what an event has in it).

An event is looked at, answered, and forgotten. Only where the operator says `telemetry_counts` is
it counted, by the name of the milestone and the day. Addresses, ids, versions and counters never
are.
"""

from __future__ import annotations

import attrs
from litestar import post

from roar_glaas.passing.telemetry import count_event
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

MOST_BYTES = 64 * 1024


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
    with database.write() as connection:
        count_event(connection, data.trigger)
