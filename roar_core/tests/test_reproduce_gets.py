"""A recorded `roar get` before it is carried out again: what it may ask for."""

from __future__ import annotations

import pytest

from roar_core.reproduce.gets import problem_of_get, words_of

URL = "https://example.org/a"


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--", "touch", "x"),
        ("get",),
        ("get", "--hash"),
        ("get", "--output=x", URL),
        ("get", "--name", "x", URL),
        ("get", "--dry-run", URL),
        ("get", URL, "-o", "x"),
        ("get", "--"),
    ],
)
def test_what_roar_does_not_record_is_no_get(words: tuple[str, ...]) -> None:
    assert words_of(("roar", *words)) is None
    assert words_of(("python", "get", URL)) is None
    assert "no roar get" in (problem_of_get(("roar", *words), ".", "/again") or "")


@pytest.mark.parametrize(
    "words",
    [
        (URL, "../x"),
        (URL, "/etc/x"),
        (URL, "data/../../x"),
        (URL, ".git/hooks/"),
        (URL, ".Roar"),
        ("-o", "/x", URL),
        ("-o", "../x", "--", URL),
        ("--hash", "--", "-o", "../x", URL),
        ("--", URL, "../x"),
    ],
)
def test_a_get_stays_in_its_target(words: tuple[str, ...]) -> None:
    assert problem_of_get(("roar", "get", *words), ".", "/again") is not None


def test_a_get_as_roar_records_it_is_carried_out_without_replacing_anything() -> None:
    recorded = ("roar", "get", "--limit", "3", "--force", URL, "../data/")
    words = words_of(recorded)
    assert words is not None
    assert words.is_forced
    assert words.dest == "../data/"
    assert words.command == ("roar", "get", "--limit", "3", "--", URL, "../data/")
    assert problem_of_get(recorded, "sub", "/again") is None
    assert problem_of_get(("roar", "get", URL), ".", "/again") is None
    assert problem_of_get(("roar", "get", "a", "/nfs/b", URL), ".", "/again") is None
