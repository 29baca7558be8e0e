"""The progress line: on a terminal only, only when it takes long, and gone afterwards."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import termios
import time
from collections.abc import Iterator

import pytest

from roar_core.hashing.progress import HashProgress, progress_line

XTERM = {"TERM": "xterm"}


@pytest.fixture
def terminal() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """A pseudo-terminal of 40 columns: the screen's end, and the stream a program writes to."""
    screen, program = os.openpty()
    fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    os.set_blocking(screen, False)
    with os.fdopen(program, "w") as stream:
        yield screen, stream
    os.close(screen)


def shown_after(progress: HashProgress, seconds: float) -> None:
    """Report until `seconds` of hashing have passed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        progress(1 << 30, 4 << 30, 7)


def on_screen(screen: int) -> str:
    try:
        return os.read(screen, 1 << 16).decode()
    except BlockingIOError:
        return ""


@pytest.mark.slow
def test_a_long_round_shows_one_line_that_fits_and_is_cleared(
    terminal: tuple[int, io.TextIOWrapper],
) -> None:
    screen, stream = terminal
    with HashProgress(stream, XTERM) as progress:
        shown_after(progress, 1.05)
        shown = on_screen(screen)
    line = "roar: hashing 1.1 GB of 4.3 GB, 7 files d"
    assert shown == f"\r\x1b[K\x1b[2m{line[:39]}\x1b[0m"
    assert on_screen(screen) == "\r\x1b[K"


@pytest.mark.slow
def test_no_color_means_plain_words(terminal: tuple[int, io.TextIOWrapper]) -> None:
    screen, stream = terminal
    with HashProgress(stream, {**XTERM, "NO_COLOR": "1"}) as progress:
        shown_after(progress, 1.05)
        assert on_screen(screen).startswith("\r\x1b[Kroar: hashing 1.1 GB")


def test_a_short_round_shows_nothing(terminal: tuple[int, io.TextIOWrapper]) -> None:
    screen, stream = terminal
    with HashProgress(stream, XTERM) as progress:
        shown_after(progress, 0.2)
    assert on_screen(screen) == ""


@pytest.mark.slow
def test_a_stream_that_is_no_terminal_gets_nothing() -> None:
    stream = io.StringIO()
    with HashProgress(stream, XTERM) as progress:
        shown_after(progress, 1.05)
    assert stream.getvalue() == ""


@pytest.mark.slow
def test_a_terminal_that_cannot_clear_a_line_gets_nothing(
    terminal: tuple[int, io.TextIOWrapper],
) -> None:
    screen, stream = terminal
    with HashProgress(stream, {"TERM": "dumb"}) as progress:
        shown_after(progress, 1.05)
    assert on_screen(screen) == ""


@pytest.mark.parametrize(
    ("done", "total", "files", "line"),
    [
        (0, 0, 0, "roar: hashing 0 B of 0 B, 0 files done, 0 B/s"),
        (1536, 10 << 20, 1, "roar: hashing 1.5 kB of 10.5 MB, 1 file done, 768 B/s"),
        (3 << 40, 5 << 40, 12, "roar: hashing 3.3 TB of 5.5 TB, 12 files done, 1.6 TB/s"),
    ],
)
def test_the_line_says_how_far_how_many_and_how_fast(
    done: int, total: int, files: int, line: str
) -> None:
    assert progress_line(done, total, files, 2.0) == line
