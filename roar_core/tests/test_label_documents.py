"""Label documents: what is typed, merged, taken away, and kept for roar itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.errors import UsageError
from roar_core.store.label_documents import flattened, from_words, merged, users_own, without


@pytest.mark.parametrize(
    ("word", "document"),
    [
        ("a=x", {"a": "x"}),
        ("a.b.c=x", {"a": {"b": {"c": "x"}}}),
        ("a=true", {"a": True}),
        ("a=null", {"a": None}),
        ("a=-3", {"a": -3}),
        ("a=1e-3", {"a": 0.001}),
        ("a=007", {"a": "007"}),
        ("a=nan", {"a": "nan"}),
        ("a=", {"a": ""}),
        ("a=b=c d", {"a": "b=c d"}),
        ("dataset.owner=me", {"dataset": {"owner": "me"}}),
        ("a=" + "9" * 5000, {"a": "9" * 5000}),
    ],
)
def test_words_become_documents(word: str, document: dict[str, Any]) -> None:
    assert from_words([word]) == document


@pytest.mark.parametrize(
    "word",
    [
        *("a", "=x", ".a=x", "a..b=x", "a.=x", "a\n=x", "a=\udcff", ".".join("a" * 99) + "=x"),
        *("roar=x", "roar.a=x", "tag.license=mit", "attach.x=1", "dataset=x", "dataset.id=x"),
    ],
)
def test_what_is_no_label_or_not_the_users_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        from_words([word])


def test_merging_is_deep() -> None:
    old = {"a": {"b": 1, "c": 2}, "d": 3}
    assert merged(old, {"a": {"c": 4}, "d": {"e": 5}}) == {"a": {"b": 1, "c": 4}, "d": {"e": 5}}
    assert old == {"a": {"b": 1, "c": 2}, "d": 3}


def test_taking_away_prunes() -> None:
    assert without({"a": {"b": {"c": 1}}, "d": 2}, ("a", "b", "c")) == {"d": 2}
    assert without({"a": 1}, ("a", "b")) is None
    assert without({"a": 1}, ("b",)) is None


def test_what_is_roars_own_is_not_copied() -> None:
    document = {"roar": {"x": 1}, "tag": {}, "dataset": {"id": "x", "owner": "me"}, "a": 1}
    assert users_own(document) == {"dataset": {"owner": "me"}, "a": 1}
    assert users_own({"dataset": {"id": "x"}}) == {}


DOCUMENTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=1),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_taking_everything_away_leaves_nothing(document: dict[str, Any]) -> None:
    for key, _ in list(flattened(document)):
        less = without(document, tuple(key.split(".")))
        assert less is not None
        document = less
    assert document == {}
