"""Reading a repository's configuration without git, and taking secrets out of URLs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.environment.git_config import (
    local_filters,
    parse_settings,
    read_settings,
    remote_of,
    without_credentials,
)

TRICKY = r"""
# a comment
[core] bare = false ; another
	editor = "vi \"x\" # not a comment" tail  # a comment
[Remote "or\"ig\\in"]
	URL = https://example.org/a b  \
continued
	flag
[branch.main]
	remote = origin
[filter "evil.name"] clean = touch x
[broken
	key = kept
"""


def test_settings_are_those_that_git_itself_reads(tmp_path: Path) -> None:
    text = TRICKY.replace("[broken\n\tkey = kept\n", "")
    file = tmp_path / "config"
    file.write_text(text)
    listed = subprocess.run(
        ["git", "config", "--file", file, "--null", "--list"], capture_output=True, check=True
    )
    pairs = [entry.partition("\n") for entry in listed.stdout.decode().split("\0") if entry]
    assert [(name, value or "true") for name, _, value in pairs] == list(parse_settings(text))


def test_a_damaged_file_gives_what_can_be_understood() -> None:
    assert ("core.bare", "false") in list(parse_settings(TRICKY))


@given(st.text(alphabet='[]"\\=#; \n\tabc.', max_size=60))
def test_any_text_can_be_parsed(text: str) -> None:
    assert all(name for name, _ in parse_settings(text))


def test_includes_are_followed_and_end(tmp_path: Path) -> None:
    (tmp_path / "config").write_text('[includeIf "gitdir:/nowhere"]\npath = more\n')
    (tmp_path / "more").write_text('[filter "x"]\nclean = evil\n[include]\npath = config\n')
    assert local_filters(read_settings(os.fspath(tmp_path / "config"))) == ["x"]


def test_the_branchs_own_remote_comes_before_origin() -> None:
    settings = (
        ("remote.origin.url", "https://a.example/x"),
        ("remote.fork.url", "https://b.example/x"),
        ("branch.topic.remote", "fork"),
    )
    assert remote_of(settings, "topic") == "https://b.example/x"
    assert remote_of(settings, None) == "https://a.example/x"
    assert remote_of((), "topic") is None


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r.git"),
        ("https://ghp_SECRET@github.com/o/r.git", "https://github.com/o/r.git"),
        ("https://user:SECRET@host:8443/o/r", "https://host:8443/o/r"),
        ("https://user:SEC@RET@host/o/r", "https://host/o/r"),
        ("https://user:SEC/RET@host/o/r", "https://host/o/r"),
        ("https://host/o/r?private_token=SECRET#SECRET", "https://host/o/r"),
        ("https://host?token=SECRET", "https://host"),
        ("https://host/@scope/r", "https://host/@scope/r"),
        ("ssh://git:SECRET@host:22/o/r", "ssh://git@host:22/o/r"),
        ("ssh://git@host/o/r", "ssh://git@host/o/r"),
        ("git+ssh://git@host/o/r", "git+ssh://git@host/o/r"),
        ("ftp://user:SECRET@host/r", "ftp://host/r"),
        ("codecommit::eu://SECRET@repo", "codecommit::eu://repo"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("user:SECRET@host:o/r", "user@host:o/r"),
        ("user:SECRET@host:o/r@v1", "user@host:o/r@v1"),
        ("/srv/git/a@b:c", "/srv/git/a@b:c"),
        ("file:///srv/git/r", "file:///srv/git/r"),
        ("../r", "../r"),
    ],
)
def test_no_credentials_stay_in_a_remote(url: str, clean: str) -> None:
    assert without_credentials(url) == clean
