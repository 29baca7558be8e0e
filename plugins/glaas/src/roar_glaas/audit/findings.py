"""What an audit found: one clear sentence each, in the order they came up."""

from __future__ import annotations

from typing import Any, NamedTuple

_MOST = 1000
_SHOWN = 80


class Finding(NamedTuple):
    """Something that does not hold; `leaf` is the record it is about, when it is about one."""

    leaf: int | None
    message: str


class Findings:
    """Collects findings. Keeps the first thousand and counts the rest."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.count = 0

    def add(self, message: str, leaf: int | None = None) -> None:
        """Note one."""
        self.count += 1
        if len(self.found) < _MOST:
            self.found.append(Finding(leaf, message))


def shown(value: Any) -> str:
    """A value as a sentence can hold it."""
    if isinstance(value, bytes):
        return value.hex()[:_SHOWN]
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
