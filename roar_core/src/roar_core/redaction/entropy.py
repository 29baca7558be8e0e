"""Words that look drawn at random. Off unless `redaction.entropy` is on: names of models do, too.

A digest, a uuid, a path, a version or a sentence is none: only a word of at least 20 letters and
digits of both cases, or with the signs of base64, with 4 bits a character or more.
"""

from __future__ import annotations

import re
from collections import Counter
from math import log2

from roar_core.redaction.contexts import Tell

_SHORTEST = 20
_BITS_PER_CHARACTER = 3.8
_WORD = re.compile(r"[A-Za-z0-9+/_=-]{20,4096}", re.ASCII)


def mask(text: str, tell: Tell) -> str:
    """`text` without the words that look drawn at random."""
    if len(text) < _SHORTEST:
        return text
    return _WORD.sub(
        lambda match: tell("entropy", "token", match[0]) if is_random(match[0]) else match[0], text
    )


def is_random(word: str) -> bool:
    """Whether a word looks like a secret and like nothing that has a meaning."""
    classes = (
        any(c.islower() for c in word),
        any(c.isupper() for c in word),
        any(c.isdigit() for c in word),
    )
    # What is put together from words, as paths and names of models are, has short parts.
    longest = max(map(len, re.split(r"[/_=+-]", word)))
    return all(classes) and longest >= _SHORTEST // 2 and _bits(word) >= _BITS_PER_CHARACTER


def _bits(word: str) -> float:
    counts = Counter(word).values()
    return -sum(n / len(word) * log2(n / len(word)) for n in counts)
