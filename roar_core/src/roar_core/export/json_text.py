"""Write JSON piece by piece: a graph of any size in the memory that one job needs.

Where a `list` would do, any sequence or iterator may stand, read while it is written; `Pairs` does
the same for an object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Pairs:
    """A JSON object whose members come from an iterator."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        self.pairs = pairs


def write_json(value: Any, target: IO[bytes]) -> None:
    """Write `value` in ASCII; what the outer two levels hold begins on lines of its own."""
    for piece in _pieces(value, breaks=2):
        target.write(piece.encode("ascii"))
    target.write(b"\n")


def one_line(value: Any) -> bytes:
    """`value` on a line of its own, for formats of one document a line."""
    return "".join(_pieces(value, breaks=0)).encode("ascii") + b"\n"


def _pieces(value: Any, breaks: int) -> Iterator[str]:
    if breaks <= 0 and (whole := _at_once(value)) is not None:
        yield whole
        return
    if isinstance(value, Mapping):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        members = (
            ((f"{_encode(name)}:",), _pieces(item, breaks - 1)) for name, item in value.pairs
        )
        yield from _joined("{", members, "}", breaks)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        items = (((), _pieces(item, breaks - 1)) for item in value)
        yield from _joined("[", items, "]", breaks)
    else:
        yield _encode(value)


def _at_once(value: Any) -> str | None:
    """All of `value`, several times as fast; None where something below is read meanwhile."""
    try:
        return _encode(value)
    except TypeError:
        return None


def _joined(
    opening: str,
    members: Iterable[tuple[tuple[str, ...], Iterator[str]]],
    closing: str,
    breaks: int,
) -> Iterator[str]:
    new_line = "\n" if breaks > 0 else ""
    yield opening
    separator = new_line
    for name, pieces in members:
        yield separator
        yield from name
        yield from pieces
        separator = f",{new_line}"
    yield new_line if separator.startswith(",") else ""
    yield closing
