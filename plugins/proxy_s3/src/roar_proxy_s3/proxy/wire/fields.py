"""Header fields: in the order in which they came, and found by name whatever its case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Between the two ends of one connection only (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)
# How a body is coded on the way: in chunks, of which each says its length.
CODING = "transfer-encoding"
Pair = tuple[str, str]


class Fields:
    """What a message says before its body. Text that is not UTF-8 has surrogates."""

    __slots__ = ("_by_name", "_pairs")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._pairs = list(pairs)
        self._by_name: dict[str, str] = {}
        for name, value in self._pairs:
            self._by_name.setdefault(name.lower(), value)

    def get(self, name: str, default: str = "") -> str:
        """The first value of this name."""
        return self._by_name.get(name.lower(), default)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_name

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)


class Answer(NamedTuple):
    """The head of a store's answer. `length` is None when only the end tells."""

    status: int
    reason: str
    fields: Fields
    length: int | None


def request_head(method: str, target: str, fields: Iterable[Pair]) -> bytes:
    """The bytes before a request's body."""
    return _head(f"{method} {target} HTTP/1.1\r\n", fields)


def answer_head(status: int, reason: str, fields: Iterable[Pair]) -> bytes:
    """The bytes before an answer's body."""
    return _head(f"HTTP/1.1 {status} {reason}\r\n", fields)


def _head(line: str, fields: Iterable[Pair]) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in fields]
    return f"{line}{''.join(lines)}\r\n".encode("utf-8", "surrogateescape")


def text(raw: bytes) -> str:
    """Bytes of a head as text, which `request_head` makes the same bytes of again."""
    return raw.decode("utf-8", "surrogateescape")


def end_to_end(fields: Iterable[Pair]) -> list[Pair]:
    """Those that are meant for the other end."""
    return [pair for pair in fields if pair[0].lower() not in HOP_BY_HOP]


def content_length(fields: Fields) -> int | None:
    """What is said of the body's length, if it is a number."""
    said = fields.get("content-length")
    return int(said) if said.isascii() and said.isdigit() else None
