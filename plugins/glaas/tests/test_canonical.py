"""The registry's own canonical JSON: byte for byte that of the core, of what is let in."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roar_core.identity import canonical_json
from roar_glaas.canonical import canonical_bytes

# As `door.storable` lets them in: no NUL, no half characters.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
names = st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=12)
values = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
documents = st.recursive(
    values, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6)
)


@given(documents)
def test_both_write_the_same(document: Any) -> None:
    assert canonical_bytes(document) == canonical_json(document)


def test_every_character_is_written_alike() -> None:
    for start in (*range(1, 0x300, 64), 0x2000, 0xD700, 0xE000, 0xFFC0, 0x10000, 0x10FFC0):
        text = "".join(map(chr, range(start, start + 64)))
        assert canonical_bytes({"a": text}) == canonical_json({"a": text}), hex(start)
