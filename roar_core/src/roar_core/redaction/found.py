"""What the finding of secrets gives: texts without them, and what was found."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """A secret that was masked: the id of the rule, and what the secret was called."""

    rule: str
    name: str


class Redacted(NamedTuple):
    """A text without its secrets, and what was found in it, in the order of the rules."""

    text: str
    found: tuple[Finding, ...] = ()

    @property
    def what(self) -> tuple[str, ...]:
        """What the secrets were called."""
        return tuple(name for _, name in self.found)
