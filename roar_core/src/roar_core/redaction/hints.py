"""Look for many short texts in many longer ones: what every rule rests on, and nearly nothing
holds.

What holds none is remembered and not looked at again, since documents repeat themselves: names of
members, digests, versions of packages, paths that one job wrote and another read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_LONGEST_REMEMBERED = 256
_MOST_REMEMBERED = 200_000
# Words of roar's own documents that no rule finds anything in, though hints are in them. As parts
# of a longer text they stand between quotes: the first names nothing secret, and no login ends
# before the second. Most of what documents say anew is digests.
_OURS = re.compile(r"signal|@B?\d{1,9}|(?:blake3:)?[0-9a-f]{64}", re.ASCII)
# What JSON in a text says in base64 is not seen before it is read.
_RAW = '"raw'
# Nor is what it may write in place of a letter.
_SPELLED = ("\\u", "\\/", _RAW)


class Held(NamedTuple):
    """The hints that some texts hold, and those texts: others hold none.

    Among the texts are those that may spell a hint as JSON may, or say it in base64.
    """

    hints: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()


_NOTHING = Held()


class Hints:
    """Texts in lower case, to be found in others; `own` are those of them that a user gave."""

    def __init__(self, hints: Iterable[str], own: Iterable[str] = ()) -> None:
        self.all = tuple(dict.fromkeys(hints))
        self._own = tuple(own)
        # Then a long text may be taken apart at its quotes, and its parts be remembered.
        self._is_within_quotes = not any('"' in hint for hint in self.all)
        self._clean: set[str] = set()

    def are_in(self, text: str) -> bool:
        """Whether a text holds any of them."""
        return text not in self._clean and bool(self.held({text}).hints)

    def held(self, texts: set[str]) -> Held:
        """Which of the texts hold hints, and which ones."""
        news = texts - self._clean
        if not news:
            return _NOTHING
        if not all(isinstance(text, str) for text in news):
            # A key that is no text: whatever it would say as one, all is looked through.
            return Held(frozenset(self.all), frozenset(news))
        if not self._is_within_quotes:
            return self._among(news)
        long = {text for text in news if len(text) > _LONGEST_REMEMBERED}
        looked_at = news - long
        parts_of = {text: set(text.split('"')) for text in long}
        looked_at.update(*parts_of.values())
        found = self._among(looked_at - self._clean)
        held = {
            text
            for text, parts in parts_of.items()
            if _RAW in text or not found.texts.isdisjoint(parts)
        }
        return Held(found.hints, frozenset(held | (found.texts & news)))

    def _among(self, texts: set[str]) -> Held:
        texts = {text for text in texts if _OURS.fullmatch(text) is None or self._is_own(text)}
        whole = "\n".join(texts).lower()
        found = [hint for hint in self.all if hint in whole]
        spelled = [form for form in _SPELLED if form in whole]
        if not found and not spelled:
            self._remember(texts)
            return _NOTHING
        hints: set[str] = set()
        held: set[str] = set()
        for text in texts:
            lower = text.lower()
            its = [hint for hint in found if hint in lower]
            if its:
                hints.update(its)
                held.add(text)
            elif spelled and any(form in lower for form in spelled):
                held.add(text)
        self._remember(texts - held)
        return Held(frozenset(hints), frozenset(held))

    def _is_own(self, text: str) -> bool:
        """Whether one that a user gave is in it."""
        return any(own in text.lower() for own in self._own)

    def _remember(self, clean: set[str]) -> None:
        if len(self._clean) + len(clean) > _MOST_REMEMBERED:
            self._clean.clear()
        self._clean.update(text for text in clean if len(text) <= _LONGEST_REMEMBERED)
