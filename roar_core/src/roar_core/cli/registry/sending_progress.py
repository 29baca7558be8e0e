"""One line on the terminal while a registration takes long, and no trace of it afterwards."""

from __future__ import annotations

import os
import sys
import time
from typing import Self

_QUIET_S = 1.0
_EVERY_S = 0.1


class SendingProgress:
    """Called with how many of how many requests were answered; a context that clears the line."""

    def __init__(self) -> None:
        stream = sys.stderr
        is_terminal = stream is not None and stream.isatty()
        self._terminal = stream if is_terminal and os.environ.get("TERM") != "dumb" else None
        self._next_at = time.monotonic() + _QUIET_S
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._is_shown:
            self._write("\r\x1b[K")

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._terminal is None or now < self._next_at:
            return
        self._next_at = now + _EVERY_S
        self._is_shown = True
        self._write(f"\r\x1b[Kroar: sending, {done:,} of {total:,} requests")

    def _write(self, text: str) -> None:
        if self._terminal is None:
            return
        try:
            self._terminal.write(text)
            self._terminal.flush()
        except OSError:  # the terminal is gone; sending goes on
            self._terminal = None
