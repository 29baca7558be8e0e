"""Command lines as named parameters."""

from __future__ import annotations

import pytest

from roar_core.lineage.parameters import changes, parameters, program_of


def named(line: str) -> list[tuple[str, str | None]]:
    return [tuple(parameter) for parameter in parameters(line.split())]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("prog --lr=0.1", [("--lr", "0.1")]),
        ("prog --lr 0.1", [("--lr", "0.1")]),
        ("prog --lr -0.1", [("--lr", "-0.1")]),
        ("prog --verbose --lr 1", [("--verbose", None), ("--lr", "1")]),
        ("prog -n 5", [("-n", "5")]),
        ("prog -n5", [("-n", "5")]),
        ("prog -n=5", [("-n", "5")]),
        ("prog -xzf", [("-x", None), ("-z", None), ("-f", None)]),
        ("prog -I/usr/include", [("-I", "/usr/include")]),
        ("prog -lr=0.1", [("-lr", "0.1")]),
        ("prog a b", [("#1", "a"), ("#2", "b")]),
        ("prog -5 -", [("#1", "-5"), ("#2", "-")]),
        ("prog lr=0.1 +model.depth=3", [("lr", "0.1"), ("+model.depth", "3")]),
        ("prog --a 1 -- --b c", [("--a", "1"), ("#1", "--b"), ("#2", "c")]),
        ("python -u train.py --lr 1", [("--lr", "1")]),
        ("python3.11 -X dev -m pkg.train x", [("#1", "x")]),
        ("prog --a= --b", [("--a", ""), ("--b", None)]),
        ("prog", []),
    ],
)
def test_words_are_named(line: str, expected: list[tuple[str, str | None]]) -> None:
    assert named(line) == expected


def test_the_program_is_told_without_its_directory_and_its_parameters() -> None:
    assert program_of(["/usr/bin/python3", "-u", "train.py", "--lr", "1"]) == (
        *("python3", "-u", "train.py"),
    )
    assert program_of(["./bin/tool", "x"]) == ("tool",)
    assert program_of([]) == ()


def test_two_spellings_of_one_value_are_no_change() -> None:
    assert changes(["p", "--lr=0.1", "-n5"], ["p", "-n", "5", "--lr", "0.1"]) == []


def test_positional_parameters_are_compared_by_place() -> None:
    """The stock client ignores them."""
    assert [tuple(change) for change in changes(["p", "a", "10"], ["p", "a", "20"])] == [
        ("#2", "10", "20")
    ]


def test_short_options_and_switches_are_compared() -> None:
    found = [tuple(change) for change in changes(["p", "-n", "1", "-v"], ["p", "-n", "2"])]
    assert found == [("-n", "1", "2"), ("-v", "given", None)]


def test_a_name_that_begins_like_another_is_another() -> None:
    """`--n` and `--name`: the stock client finds one in the other."""
    found = changes(["p", "--name", "x", "--n", "1"], ["p", "--name", "x", "--n", "9"])
    assert [tuple(change) for change in found] == [("--n", "1", "9")]


def test_repeated_options_are_compared_in_order() -> None:
    found = changes(["p", "-i", "a", "-i", "b"], ["p", "-i", "b", "-i", "a"])
    assert [tuple(change) for change in found] == [("-i", "a b", "b a")]
