"""Try again what may well succeed: how often, and how long to wait between."""

from __future__ import annotations

import random
import threading

from roar_core.errors import RoarError, TemporaryError

ATTEMPTS = 5
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0


class StoppedError(RoarError):
    """The command was interrupted: what is under way ends here."""


class Patience:
    """The attempts at one thing; `stop` ends the waiting. What was achieved renews them."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._failed = 0

    def renew(self) -> None:
        """Something was achieved since the last failure."""
        self._failed = 0

    def wait_after(self, error: TemporaryError) -> None:
        """Wait until the next attempt. Raises `error` when that was the last one."""
        self._failed += 1
        if self._failed >= ATTEMPTS or (error.after_s or 0) > LONGEST_WAIT_S:
            raise error
        wait_s = error.after_s
        if wait_s is None:
            wait_s = FIRST_WAIT_S * 2 ** (self._failed - 1) * random.uniform(0.5, 1)  # noqa: S311
        if self._stop.wait(wait_s):
            raise StoppedError("interrupted")
