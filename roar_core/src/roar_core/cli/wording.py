"""How values read to people: sizes, durations, times, names of jobs, marks of states."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from roar_core.cli import output
from roar_core.spelling import size as size

if TYPE_CHECKING:
    from roar_core.model.coverage import Coverage, CoverageReason

# state -> (mark, mark for terminals without Unicode, colour)
_MARKS = {
    "succeeded": ("✓", "ok", "green"),
    "failed": ("✗", "failed", "red"),
    "interrupted": ("!", "!", "yellow"),
    "running": ("…", "...", "cyan"),
    "undone": ("-", "-", "dim"),
}
# Programs whose first argument is the script; python's also comes after options without a value.
_PYTHON = ("python", "pypy")
_PYTHON_FLAGS = ("-u", "-B", "-E", "-I", "-O", "-OO", "-P", "-s", "-S")
_INTERPRETERS = ("bash", "sh", "dash", "zsh", "Rscript", "ruby", "perl", "node", "julia")


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def natural(text: str) -> list[tuple[bool, int, str]]:
    """A key by which `rank 2` sorts before `rank 10`."""
    parts = re.split(r"(\d{1,18})", text)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def duration(seconds: float) -> str:
    """Seconds as `0.04 s`, `12.3 s`, `3 min 20 s`, `5 h 07 min`."""
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def registry_in(origin: str | None) -> str:
    """The host of the registry that told of a job; empty for one recorded here or imported."""
    host, is_page, _ = (origin or "").partition("/dag/")
    return output.printable(host.partition("://")[2]) if is_page else ""


def local_time(ns: int) -> str:
    """Nanoseconds since the epoch in the reader's own time zone, with its offset."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(ns // 1_000_000_000))


def short_hash(name: str | None) -> str:
    """`blake3:1a2b3c4d5e6f`: enough digits to be told apart and to be typed back as a reference."""
    if name is None:
        return "unknown"
    algorithm, _, digits = name.partition(":")
    return f"{algorithm}:{digits[:12]}"


def short_uid(uid: str) -> str:
    """The first 8 digits of a job's uid."""
    return uid[:8]


def some(names: Sequence[str], limit: int = 5) -> str:
    """`a, b` and of more than `limit` how many others."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"


def short_label(label: str) -> str:
    """A step as it is, `@3`; of a job's uid the first 8 digits."""
    return label if label.startswith("@") else short_uid(label)


def command_line(command: Sequence[str]) -> str:
    """The command as one could type it into a shell."""
    import shlex

    return shlex.join(command)


def title(name: str | None, command: Sequence[str]) -> str:
    """What a job is called: its given name, else the script and its arguments, else the command.

    `python -u train.py --lr 1` is `train.py --lr 1`: the interpreter says little about a step.
    """
    if name:
        return name
    program = PurePosixPath(command[0]).name if command else ""
    rest = list(command[1:])
    if program.rstrip("0123456789.") in _PYTHON:
        while rest and rest[0] in _PYTHON_FLAGS:
            del rest[0]
    elif program not in _INTERPRETERS:
        return command_line([program, *rest])
    if rest and not rest[0].startswith("-"):
        return command_line(rest)
    return command_line([program, *command[1:]])


def ending(state: str, exit_code: int | None, signal: str | None) -> str:
    """How a job ended: `succeeded`, `failed with exit code 3`, `killed by SIGTERM` …"""
    if state != "failed":
        return state
    if signal:
        return f"failed, killed by {signal}"
    return "failed" if exit_code is None else f"failed with exit code {exit_code}"


def mark(state: str) -> str:
    """One character for a state, in its colour on a terminal."""
    symbol, plain, colour = _MARKS.get(state, ("?", "?", "dim"))
    return output.style(output.symbol(symbol, plain), colour)


def coverage_reasons(coverage: Coverage) -> list[str]:
    """One phrase for each known hole: `lost x3`, `tasks: 2 of 7 tasks of ray not reported`."""
    return [_hole(reason) for reason in coverage.reasons]


def _hole(reason: CoverageReason) -> str:
    if reason.detail.startswith("of "):
        return f"{reason.code}: {reason.count:,} {reason.detail}"
    times = f" x{reason.count}" if reason.count > 1 else ""
    return f"{reason.code}{times}{reason.detail and f': {reason.detail}'}"


def versions(packages: Mapping[str, str], limit: int | None) -> str:
    """`numpy 2.1.0, pandas 2.2.3 … and 7 more`."""
    names = sorted(packages)
    shown = names if limit is None else names[:limit]
    text = ", ".join(f"{name} {packages[name]}" for name in shown)
    return text if len(shown) == len(names) else f"{text} … and {len(names) - len(shown)} more"


def columns() -> int | None:
    """The terminal's width, None when stdout is no terminal: then nothing is shortened."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def fit(text: str, width: int | None) -> str:
    """`text`, printable, shortened with `…` to at most `width` columns."""
    text = output.printable(text)
    if width is None or display_width(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += display_width(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def display_width(text: str) -> int:
    """Columns `text` takes on a terminal: wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        for character in text
    )


def pad(text: str, width: int) -> str:
    """`text` followed by blanks up to `width` columns."""
    return text + " " * (width - display_width(text))
