"""Recorded paths, commands and variables never leave the target."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roar_core.reproduce.commands import Command, quoted, shell_line
from roar_core.reproduce.places import (
    inside,
    is_safe,
    leads_outside,
    move_root,
    rewrite_command,
    variables_for,
)


@pytest.mark.parametrize(
    "path",
    [
        "/p/../etc/passwd",
        "/p/a/../../x",
        "/p//x",
        "/p/./x",
        "/p/.git/hooks/x",
        "/p/a/.ROAR/roar.db",
    ],
)
def test_a_path_that_would_leave_the_project_is_not_inside(path: str) -> None:
    assert inside(path, "/p") is None


@pytest.mark.parametrize("path", ["/q/x", "/px", "/"])
def test_a_path_elsewhere_is_not_inside(path: str) -> None:
    assert inside(path, "/p") is None


def test_odd_names_are_names() -> None:
    for name in ("-rf", "a\nb", "…", os.fsdecode(b"\xff"), ".hidden", "..a", "a b"):
        assert inside(f"/p/{name}", "/p") == name
    assert not is_safe("a\0b")
    assert inside("/p", "/p") == "."


def test_a_link_that_leads_out_is_seen(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)
    (root / "round").symlink_to(root / "in")
    assert leads_outside(str(root), "out/x")
    assert not leads_outside(str(root), "round/x")
    assert not leads_outside(str(root), "new/x")


@pytest.mark.parametrize(
    ("word", "moved"),
    [
        ("/p/x", "/new/x"),
        ("--out=/p", "--out=/new"),
        ("a:/p/b:/p", "a:/new/b:/new"),
        ("cd '/p' && cat /p/y", "cd '/new' && cat /new/y"),
        ("/px", "/px"),
        ("/q/p/x", "/q/p/x"),
        ("x/p", "x/p"),
    ],
)
def test_only_whole_occurrences_of_the_old_root_move(word: str, moved: str) -> None:
    assert move_root(word, "/p", "/new") == moved


def test_a_path_to_python_becomes_the_environments_python() -> None:
    command = ("/usr/bin/python3.11", "/p/x.py")
    there = rewrite_command(command, "/p", "/new", has_environment=True)
    assert there.command == ("python", "/new/x.py")
    assert len(there.changes) == 2
    without = rewrite_command(("./tool", "x"), "/p", "/new", has_environment=False)
    assert without == (("./tool", "x"), ())


def test_a_record_does_not_decide_which_programs_and_libraries_run() -> None:
    recorded = {"SEED": "1", "DATA": "/p/data", "PATH": "/evil", "LD_PRELOAD": "x", "GIT_DIR": "y"}
    taken, left = variables_for(recorded, "/p", "/new")
    assert taken == {"SEED": "1", "DATA": "/new/data"}
    assert left == ["GIT_DIR", "LD_PRELOAD", "PATH"]


def test_shell_words_are_quoted_whatever_they_hold() -> None:
    for word in ("", "$(rm -rf /)", "a'b", "a\nb", "`x`", "a;b", "*"):
        assert quoted(word).startswith("'")
    assert shell_line(Command(("rm", "-rf", "$HOME"), "/a b")) == "(cd '/a b' && rm -rf '$HOME')"
