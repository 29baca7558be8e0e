"""Look for many short texts in long ones: what every rule rests on, and nearly nothing holds.

What holds none is remembered and not looked at again, since documents repeat themselves: names of
members, digests, versions of packages, paths that one job wrote and another read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

_LONGEST_REMEMBERED = 256
_MOST_REMEMBERED = 200_000


class Hints:
    """Texts in lower case, to be found in others.

    `are_plain`: JSON spells each of them as it is, and none reaches over a quote. Then the JSON of
    a document may be searched in place of its texts, and a text be taken apart at its quotes.
    """

    def __init__(self, hints: Iterable[str]) -> None:
        self.all = tuple(dict.fromkeys(hints))
        self.are_plain = all(
            json.dumps(hint, ensure_ascii=False) == f'"{hint}"' for hint in self.all
        )
        self._clean: set[str] = set()

    def within(self, lower: str) -> frozenset[str]:
        """Those that a text in lower case holds."""
        if lower in self._clean:
            return frozenset()
        if not self.are_plain:
            return frozenset(hint for hint in self.all if hint in lower)
        parts = set(lower.split('"'))
        parts -= self._clean
        news = '"'.join(parts)
        found = [hint for hint in self.all if hint in news]
        if found:
            parts = {part for part in parts if not any(hint in part for hint in found)}
        self._remember(parts)
        return frozenset(found)

    def _remember(self, clean: set[str]) -> None:
        if len(self._clean) + len(clean) > _MOST_REMEMBERED:
            self._clean.clear()
        self._clean.update(part for part in clean if len(part) <= _LONGEST_REMEMBERED)
