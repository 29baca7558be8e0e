"""One line on the terminal while something takes long, and no trace of it afterwards."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Self, TextIO

_QUIET_S = 1.0
_EVERY_S = 0.1


class ProgressLine:
    """A line that `show` writes over itself; use it in a `with`, which clears it.

    Nothing is written unless `stream` is a terminal that can clear a line, and more than a second
    has passed. With NO_COLOR (no-color.org) the line is not dimmed.
    """

    def __init__(
        self, stream: TextIO | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        stream = sys.stderr if stream is None else stream
        is_terminal = stream is not None and stream.isatty()  # None: closed (`2>&-`)
        self._terminal = stream if is_terminal and environ.get("TERM", "dumb") != "dumb" else None
        self._dim, self._plain = ("", "") if environ.get("NO_COLOR") else ("\x1b[2m", "\x1b[0m")
        self._started = time.monotonic()
        self._next_at = self._started + _QUIET_S
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._shown:
            self._write("\r\x1b[K")

    def show(self, words: Callable[[float], str]) -> None:
        """Write the line, at most ten times a second; `words` makes it of the seconds so far.

        It must be ASCII, so that characters are columns.
        """
        now = time.monotonic()
        if self._terminal is None or now < self._next_at:
            return
        self._next_at = now + _EVERY_S
        # One column is left free: a full line makes some terminals wrap.
        width = max(0, os.get_terminal_size(self._terminal.fileno()).columns - 1)
        self._shown = True
        self._write(f"\r\x1b[K{self._dim}{words(now - self._started)[:width]}{self._plain}")

    def _write(self, text: str) -> None:
        if self._terminal is None:
            return
        try:
            self._terminal.write(text)
            self._terminal.flush()
        except OSError:  # the terminal is gone; the work goes on
            self._terminal = None
            self._shown = False
