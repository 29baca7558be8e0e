"""The digest of parts in any order is that of the whole."""

from __future__ import annotations

import itertools
import random

from blake3 import blake3
from hypothesis import example, given
from hypothesis import strategies as st

from roar_proxy_s3.proxy.tree import Part

CONTENT = random.Random(7).randbytes(300_000)


@given(
    size=st.integers(1, len(CONTENT)),
    cuts=st.lists(st.integers(0, len(CONTENT))),
    seed=st.integers(),
)
@example(size=1024, cuts=[3], seed=0)
@example(size=1025, cuts=[1024], seed=0)
@example(size=2048, cuts=[], seed=0)
@example(size=65536, cuts=[], seed=0)
@example(size=262144, cuts=[65536], seed=0)
@example(size=262144, cuts=[1, 2, 1023, 1025, 4000], seed=3)
def test_parts_in_any_order(size: int, cuts: list[int], seed: int) -> None:
    ends = sorted({0, size, *(cut % size for cut in cuts)})
    spans = list(itertools.pairwise(ends))
    chance = random.Random(seed)
    parts: list[Part] = []
    for start, stop in spans:
        part = Part(start)
        at = start
        while at < stop:
            step = min(stop, at + chance.choice((1000, 70_000, 200_000)))
            part.update(CONTENT[at:step])
            at = step
        part.end()
        parts.append(part)
    while len(parts) > 1:
        which = chance.randrange(len(parts) - 1)
        parts[which].join(parts.pop(which + 1))
    assert parts[0].digest() == blake3(CONTENT[:size]).hexdigest()
