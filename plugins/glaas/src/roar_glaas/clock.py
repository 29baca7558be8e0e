"""The time, as the registry keeps it."""

from __future__ import annotations

import time


def now_us() -> int:
    """The time, in microseconds since the epoch."""
    return time.time_ns() // 1000
