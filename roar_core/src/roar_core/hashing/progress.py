"""One line on the terminal while hashing takes long, and no trace of it afterwards."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

_QUIET_S = 1.0
_EVERY_S = 0.1


class HashProgress:
    """What to give `hash_files` as `on_progress`; use it in a `with`, which clears the line.

    `words` makes the line of (bytes done, bytes in all, files done, seconds).
    Nothing is written unless `stream` is a terminal that can clear a line, and hashing has lasted
    for more than a second. With NO_COLOR (no-color.org) the line is not dimmed.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
        words: Callable[[int, int, int, float], str] | None = None,
    ) -> None:
        self._words = progress_line if words is None else words
        environ = os.environ if environ is None else environ
        stream = sys.stderr if stream is None else stream
        is_terminal = stream is not None and stream.isatty()  # None: closed (`2>&-`)
        self._terminal = stream if is_terminal and environ.get("TERM", "dumb") != "dumb" else None
        self._dim, self._plain = ("", "") if environ.get("NO_COLOR") else ("\x1b[2m", "\x1b[0m")
        self._started = time.monotonic()
        self._next_at = self._started + _QUIET_S
        self._shown = False

    def __enter__(self) -> HashProgress:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._shown:
            self._write("\r\x1b[K")

    def __call__(self, done_bytes: int, total_bytes: int, files_done: int) -> None:
        """Show how far hashing has come, at most ten times a second."""
        now = time.monotonic()
        if self._terminal is None or now < self._next_at:
            return
        self._next_at = now + _EVERY_S
        line = self._words(done_bytes, total_bytes, files_done, now - self._started)
        # One column is left free: a full line makes some terminals wrap.
        width = max(0, os.get_terminal_size(self._terminal.fileno()).columns - 1)
        self._shown = True
        self._write(f"\r\x1b[K{self._dim}{line[:width]}{self._plain}")

    def _write(self, text: str) -> None:
        if self._terminal is None:
            return
        try:
            self._terminal.write(text)
            self._terminal.flush()
        except OSError:  # the terminal is gone; hashing goes on
            self._terminal = None
            self._shown = False


def progress_line(done_bytes: int, total_bytes: int, files_done: int, seconds: float) -> str:
    """The line's words, ASCII only, so that characters are columns."""
    rate = done_bytes / seconds if seconds > 0 else 0
    files = "1 file" if files_done == 1 else f"{files_done} files"
    return (
        f"roar: hashing {readable(done_bytes)} of {readable(total_bytes)}, "
        f"{files} done, {readable(rate)}/s"
    )


def readable(size_bytes: float) -> str:
    """`1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"
