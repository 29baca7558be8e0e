"""Which names objects may have as files, and which cannot stand side by side."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.errors import RoarError
from roar_core.transfer.names import problem_below, problem_of, refuse_clashes


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "a\0b", "a/", "b" * 256]
)
def test_what_would_leave_its_folder_is_no_name(name: str) -> None:
    assert problem_of(name)


@given(st.text())
def test_whatever_is_allowed_stays_below_its_folder(name: str) -> None:
    if problem_of(name) is None:
        path = os.path.normpath(os.path.join("/target", name))
        assert path == f"/target/{name}"


@pytest.mark.parametrize("name", ["a", "a/b", "...", "..a", "a\\b", "a\nb", "\udcff", "é" * 127])
def test_odd_names_are_names(name: str) -> None:
    assert problem_of(name) is None


def test_two_sources_of_one_place_are_named_with_it() -> None:
    with pytest.raises(RoarError, match=r"one/x and two/x would both become s3://b/x"):
        refuse_clashes([("one/x", "s3://b/x"), ("two/x", "s3://b/x")], "in the store")


def test_no_place_is_a_file_and_a_folder() -> None:
    with pytest.raises(RoarError, match=r"two would become /t/a .* folder for one"):
        refuse_clashes([("one", "/t/a/b"), ("two", "/t/a")], "here")


def test_names_that_differ_in_case_clash_on_request_alone() -> None:
    for pair in (("/t/Data", "/t/data"), ("/t/\u00e9", "/t/e\u0301"), ("/t/STRASSE", "/t/straße")):
        places = [("one", pair[0]), ("two", pair[1])]
        refuse_clashes(places, "here")
        with pytest.raises(RoarError, match="only in case"):
            refuse_clashes(places, "here", fold=True)


@pytest.mark.parametrize("name", [".git/hooks/post-checkout", "a/.GIT/config", ".roar/config.toml"])
def test_a_listing_writes_nothing_that_git_or_roar_obeys(name: str) -> None:
    assert problem_below(name) is not None
    assert problem_below(name.replace(".", "_")) is None
