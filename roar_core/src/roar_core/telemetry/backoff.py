"""How long not to try sending again: a minute after a failure, longer after more of them."""

from __future__ import annotations

import json
import time
from pathlib import Path

from roar_core.config import files
from roar_core.errors import ConfigError
from roar_core.telemetry.stats import replace

_FIRST_WAIT_S = 60
_LONGEST_WAIT_S = 24 * 3600


def read_backoff(path: Path) -> tuple[int, float]:
    """How often in a row sending failed, and the time before which it is not tried again."""
    try:
        failures, until = json.loads(files.read(path) or b"[0, 0]")
        # A clock that was set back must not mean silence for years.
        return int(failures), min(float(until), time.time() + _LONGEST_WAIT_S)
    except (ConfigError, ValueError, TypeError, OverflowError, RecursionError):
        return 0, 0.0


def note_attempt(path: Path) -> None:
    """Count an attempt as failed; done before it, so that one which is cut off counts as well."""
    failures = read_backoff(path)[0] + 1
    wait = min(_FIRST_WAIT_S * 2 ** min(failures - 1, 20), _LONGEST_WAIT_S)
    replace(path, json.dumps([failures, time.time() + wait]).encode())
