"""An override changes exactly the value it names, or is refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.errors import UsageError
from roar_core.run.overrides import with_overrides


@pytest.mark.parametrize(
    ("command", "override", "changed"),
    [
        (["t.py", "--lr", "0.5", "x"], "lr=0.1", ["t.py", "--lr", "0.1", "x"]),
        (["t.py", "--lr=0.5", "x"], "lr=0.1", ["t.py", "--lr=0.1", "x"]),
        (["t.py", "-l", "0.5"], "l=0.1", ["t.py", "-l", "0.1"]),
        (["t.py", "-l0.5"], "l=0.1", ["t.py", "-l0.1"]),
        (["t.py", "-lr", "0.5"], "lr=0.1", ["t.py", "-lr", "0.1"]),
        (["t.py", "--lr", "0.5"], "--lr=0.1", ["t.py", "--lr", "0.1"]),
        (["t.py", "--lr", "-0.5"], "lr=-1e-3", ["t.py", "--lr", "-1e-3"]),
        (["t.py", "--title", "a"], "title=two words", ["t.py", "--title", "two words"]),
        (["t.py", "--title=a"], 'title=it\'s "b" = c', ["t.py", '--title=it\'s "b" = c']),
        (["t.py", "--title", "a"], "title=", ["t.py", "--title", ""]),
        (["t.py", "--title", "a"], "title=-dash", ["t.py", "--title=-dash"]),
        (["t.py", "--learning-rate", "1"], "learning_rate=2", ["t.py", "--learning-rate", "2"]),
        (["t.py", "--name=a", "--n=1"], "n=9", ["t.py", "--name=a", "--n=9"]),
        (["dd", "bs=4k", "count=1"], "bs=8k", ["dd", "bs=8k", "count=1"]),
        (["t.py", "--fast", "--lr", "1"], "fast=true", ["t.py", "--fast", "--lr", "1"]),
        (["t.py", "--fast", "--lr", "1"], "fast=false", ["t.py", "--lr", "1"]),
        (["t.py", "--fast", "yes"], "fast=false", ["t.py", "--fast", "false"]),
        (["t.py", "x", "--fast"], "fast=off", ["t.py", "x"]),
    ],
)
def test_the_value_is_replaced(command: list[str], override: str, changed: list[str]) -> None:
    assert with_overrides(command, [override]) == tuple(changed)


@pytest.mark.parametrize(
    ("command", "override", "because"),
    [
        # The stock client looks for the text "--n" anywhere and says nothing.
        (["t.py", "--name=a"], "n=9", "has no option -n"),
        (["t.py"], "lr=1", "it has no options"),
        (["lr", "5"], "lr=1", "has no option --lr"),
        (["t.py", "--lr", "1", "--lr", "2"], "lr=3", "ambiguous"),
        (["t.py", "--lr", "1", "-lr=2"], "lr=3", "ambiguous"),
        (["t.py", "--a-b", "1", "--a_b", "2"], "a.b=3", "has no option"),
        (["t.py", "--fast", "data.csv"], "fast=false", "ambiguous"),
        (["t.py", "--fast"], "fast=3", "nothing to replace"),
        (["tar", "-xzf", "a.tar"], "f=b.tar", "cannot be told"),
        (["sh", "-c", "python t.py --lr 1"], "lr=2", "another program"),
        (["t.py", "--lr", "1"], "lr", "NAME=VALUE"),
        (["t.py", "--lr", "1"], "=2", "NAME=VALUE"),
    ],
)
def test_what_cannot_be_done_is_refused(command: list[str], override: str, because: str) -> None:
    with pytest.raises(UsageError, match=because):
        with_overrides(command, [override])


def test_one_option_is_not_given_two_values() -> None:
    with pytest.raises(UsageError, match="more than one value"):
        with_overrides(["t.py", "--lr", "1"], ["lr=2", "--lr=3"])


WORDS = st.one_of(
    st.sampled_from(["--lr", "-l", "--lr=1", "-l1", "lr=1", "--", "-", "1", "-1", "x", "--fast"]),
    st.text(max_size=6),
)


@given(
    command=st.lists(WORDS, min_size=1, max_size=6),
    name=st.sampled_from(["lr", "l", "fast", "--lr"]),
    value=st.text(max_size=8),
)
def test_an_override_is_carried_out_or_refused_never_ignored(
    command: list[str], name: str, value: str
) -> None:
    try:
        changed = with_overrides(command, [f"{name}={value}"])
    except UsageError:
        return
    assert changed[0] == command[0]
    if len(changed) == len(command):
        different = [new for old, new in zip(command, changed, strict=True) if old != new]
        assert len(different) <= 1
        assert all(new.endswith(value) for new in different)
        assert (
            different
            or value in ("", "1")
            or any(value in word for word in command)
            or (value.lower() in ("true", "yes", "on"))
        )
    else:
        assert len(changed) == len(command) - 1
