"""Three states of a label document, and what each side has to take over."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roar_core.registry.labels.merging import ABSENT, Conflict, applied, merge, nested

LEAVES = st.dictionaries(
    st.sampled_from(["a", "b", "a.x", "c.y", "c.z"]), st.sampled_from([0, 1, True, "t", None])
).filter(lambda leaves: not ("a" in leaves and "a.x" in leaves))


@given(base=LEAVES, ours=LEAVES, theirs=LEAVES, word=st.sampled_from(["ours", "theirs"]))
def test_once_decided_both_sides_are_the_same(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], word: str
) -> None:
    found = merge(base, ours, theirs, lambda conflict: word)
    assert found.conflicts == ()
    here = applied(ours, found.pull, found.pull_deleted)
    there = applied(theirs, found.push, found.push_deleted)
    assert json.dumps(here, sort_keys=True) == json.dumps(there, sort_keys=True)


@given(base=LEAVES, changed=LEAVES)
def test_what_one_side_changed_the_other_takes_over(
    base: dict[str, Any], changed: dict[str, Any]
) -> None:
    push = merge(base, changed, base)
    assert push.conflicts == ()
    assert not push.pull
    assert applied(base, push.push, push.push_deleted) == changed
    pull = merge(base, base, changed)
    assert not pull.sends
    assert applied(base, pull.pull, pull.pull_deleted) == changed
    assert merge(base, changed, changed).is_nothing


def test_what_both_changed_is_told_with_both_values() -> None:
    found = merge({"a": 1, "b": 1}, {"a": 2}, {"a": 3, "b": 2})
    assert found.conflicts == (Conflict("a", 2, 3), Conflict("b", ABSENT, 2))
    assert not found.sends
    assert merge({}, {"a": 1}, {"a.x": 2}).conflicts == (Conflict("a", 1, ABSENT),)
    # As JSON: true is another value than 1.
    assert merge({}, {"a": True}, {"a": 1}).conflicts == (Conflict("a", True, 1),)


def test_a_key_gives_way_to_one_inside_it() -> None:
    found = merge({"a": 1}, {"a.b": 2}, {"a": 1})
    assert (found.push, found.push_deleted) == ({"a.b": 2}, ())
    assert nested(applied({"a": 1, "c": 3}, found.push, found.push_deleted)) == {
        "a": {"b": 2},
        "c": 3,
    }
