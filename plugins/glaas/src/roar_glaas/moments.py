"""Moments: microseconds since the epoch in the database, RFC 3339 in what people are told."""

from __future__ import annotations

import time

from roar_core.spelling import timestamp

SECOND_US = 1_000_000
DAY_S = 24 * 3600


def now_us() -> int:
    """The time, in microseconds since the epoch."""
    return time.time_ns() // 1000


def written(moment_us: int | None) -> str | None:
    """A moment as people and programs read it, in UTC; None stays None."""
    return None if moment_us is None else timestamp(moment_us * 1000)
