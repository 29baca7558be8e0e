"""Moments: microseconds since the epoch in the database, RFC 3339 in what people are told."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from roar_core.spelling import timestamp
from roar_glaas.errors import BadRequest

SECOND_US = 1_000_000
DAY_S = 24 * 3600
_LATEST_S = 1e11


def now_us() -> int:
    """The time, in microseconds since the epoch."""
    return time.time_ns() // 1000


def written(moment_us: int | None) -> str | None:
    """A moment as people and programs read it, in UTC; None stays None."""
    return None if moment_us is None else timestamp(moment_us * 1000)


def today() -> int:
    """The day (UTC), in days since the epoch."""
    return int(time.time()) // DAY_S


def moment_us(text: str | None, where: str) -> int | None:
    """Seconds since the epoch, or ISO 8601, in microseconds; a time without a zone is UTC.

    Raises BadRequest naming `where`.
    """
    if text is None:
        return None
    try:
        if text.replace(".", "", 1).isdecimal() and len(text) <= 20:
            if float(text) < _LATEST_S:
                return round(float(text) * 1e6)
            raise OverflowError(text)
        found = datetime.fromisoformat(text[:40])
        return round(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1e6)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{where} must be seconds since the epoch, or a time like 2025-01-31T12:00:00Z"
        ) from error
