"""What people and programs read: results on stdout, words about the work on stderr.

Colour only on a terminal, and never when `NO_COLOR` is set (https://no-color.org). Names recorded
from the file system may hold any bytes: `printable` keeps them from steering the reader's terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from roar_core.errors import RoarError

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def colours(stream: TextIO | None) -> bool:
    """Whether `stream` is a terminal that wants colour; None is one that is closed (`>&-`)."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def style(text: str, *names: str, stream: TextIO | None = None) -> str:
    """`text` in the named styles (`bold`, `dim`, `red` …) where the stream shows them."""
    if not names or not colours(stream or sys.stdout):
        return text
    return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"


def printable(text: str) -> str:
    """`text` with control characters and undecodable bytes made visible, as `ls` does."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def symbol(character: str, plain: str) -> str:
    """`character` where stdout's encoding has it, else its spelling in ASCII."""
    try:
        character.encode(_encoding(sys.stdout))
    except UnicodeEncodeError:
        return plain
    return character


def line(text: str = "") -> None:
    """One line of a result, on stdout."""
    _write_result(text)


def note(text: str) -> None:
    """A sentence about the work, on stderr; it may be styled, so names in it must be printable."""
    _write_words(f"{style('roar:', 'dim', stream=sys.stderr)} {text}")


def tell(text: str) -> None:
    """A sentence about the work, on stderr, that may hold names as they are."""
    note(printable(text))


def warn(text: str) -> None:
    """A sentence the user should not miss, on stderr."""
    _write_words(f"{style('roar:', 'yellow', stream=sys.stderr)} {printable(text)}")


def error(text: str) -> None:
    """Why the command failed, on stderr."""
    _write_words(f"{style('roar:', 'red', stream=sys.stderr)} {printable(text)}")


def data(document: Mapping[str, Any]) -> None:
    """A JSON document on stdout; ASCII only, so that any terminal and any pipe can carry it.

    Indented for a person at a terminal only: json's indenting encoder takes ten times as long.
    """
    import json

    indent = 2 if sys.stdout is not None and sys.stdout.isatty() else None
    _write_result(json.dumps(document, indent=indent, check_circular=False))


def raw(content: bytes) -> None:
    """Bytes as they are on stdout, such as a script that is to be piped on."""
    if sys.stdout is None:
        raise RoarError("cannot write the result: standard output is closed")
    with _told_when_lost():
        sys.stdout.flush()
        sys.stdout.buffer.write(content)


def table(rows: Iterable[Sequence[str]], header: Sequence[str] | None = None) -> None:
    """Left-aligned columns on stdout, two spaces apart; the last column is not padded."""
    body = [[printable(cell) for cell in row] for row in rows]
    lines = [list(header), *body] if header else body
    if not lines:
        return
    widths = [max(len(row[i]) for row in lines) for i in range(len(lines[0]))]
    for index, row in enumerate(lines):
        text = "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        line(style(text, "dim") if header and index == 0 else text)


def _visible(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode's mark for an undecodable byte
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def finish() -> None:
    """Have every result written; raises `RoarError` when it cannot be, as `line` does."""
    if sys.stdout is not None:
        with _told_when_lost():
            sys.stdout.flush()


def _write_result(text: str) -> None:
    if sys.stdout is None:
        raise RoarError("cannot write the result: standard output is closed")
    with _told_when_lost():
        sys.stdout.write(_encodable(text, sys.stdout) + "\n")


@contextmanager
def _told_when_lost() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # The interpreter would try again to flush it, and exit with a status of its own.
        sys.stdout = None
        raise RoarError(f"cannot write the result: {error.strerror}") from error


def _write_words(text: str) -> None:
    """Words that nobody can read are lost; the work they are about, and its exit code, are not."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(_encodable(text, sys.stderr) + "\n")
        sys.stderr.flush()
    except OSError:
        sys.stderr = None  # else the interpreter flushes it again at exit, and exits with 120


def _encodable(text: str, stream: TextIO) -> str:
    encoding = _encoding(stream)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _encoding(stream: TextIO | None) -> str:
    return (stream.encoding if stream is not None else None) or "utf-8"
