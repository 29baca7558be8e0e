"""Changing one setting keeps everything else, whoever else is writing and whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.config.writing import set_value, unset_value
from roar_core.errors import ConfigError

COMMENTED = """\
# ours, please keep
[hash]
workers = 2  # two are enough

# about git
[git]
dirty = "allow"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".roar" / "config.toml"


def parsed(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text())


def test_a_first_setting_makes_a_private_file(file: Path) -> None:
    set_value(file, "run.grace", 1.5)
    assert file.read_text() == "[run]\ngrace = 1.5\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(file.parent)) == ["config.toml", "config.toml.lock"]


def test_comments_and_order_are_kept(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(COMMENTED)
    set_value(file, "hash.workers", 4)
    set_value(file, "git.snapshot_max", 1)
    assert file.read_text() == COMMENTED.replace("= 2 ", "= 4 ") + "snapshot_max = 1\n"


def test_a_setting_taken_out_leaves_no_empty_table(file: Path) -> None:
    set_value(file, "tracer.preload.slots", 1)
    set_value(file, "hash.workers", 1)
    assert unset_value(file, "tracer.preload.slots")
    assert parsed(file) == {"hash": {"workers": 1}}
    assert not unset_value(file, "tracer.preload.slots")


@pytest.mark.parametrize(
    "before",
    [
        "hash.workers = 1\n",
        "hash = {workers = 1, other = 2}\n",
        "[hash]\nother = 2\n[git]\ndirty = 'allow'\n",
        "[git]\ndirty = 'allow'\n[hash.deeper]\nx = 1\n[tail]\ny = 1\n",
        "[[list]]\na = 1\n[[list]]\na = 2\n",
        "\r\n[git]\r\ndirty = 'allow'\r\n",
        "",
    ],
)
def test_any_style_of_file_can_be_changed_and_changed_back(file: Path, before: str) -> None:
    file.parent.mkdir()
    file.write_text(before, newline="")
    wanted = parsed(file)
    set_value(file, "hash.workers", 7)
    wanted.setdefault("hash", {})["workers"] = 7
    assert parsed(file) == wanted
    assert unset_value(file, "hash.workers")
    del wanted["hash"]["workers"]
    assert parsed(file) == {k: v for k, v in wanted.items() if v}


@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(["a.x", "a.y", "b.c.x", "b.c.y", "b.d.x", "e.x"]),
            st.none() | st.integers(0, 9) | st.text(max_size=5) | st.lists(st.text(max_size=3)),
        ),
        max_size=12,
    )
)
def test_any_sequence_of_changes_gives_what_was_asked_for(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, Any]]
) -> None:
    file = tmp_path_factory.mktemp("config") / "config.toml"
    expected: dict[str, Any] = {}
    for name, value in changes:
        if value is None:
            assert unset_value(file, name) == (name in expected)
            expected.pop(name, None)
        else:
            set_value(file, name, value)
            expected[name] = value
    assert flattened(parsed(file) if file.exists() else {}) == expected


def flattened(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= (
            flattened(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {f"{prefix}{name}": value}
        )
    return flat


def test_writers_at_once_lose_nothing(file: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from roar_core.config.writing import set_value\n"
        "for n in range(10): set_value(Path(sys.argv[1]), f'swarm.k{sys.argv[2]}_{n}', n)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(file), str(w)]) for w in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert len(parsed(file)["swarm"]) == 40


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    kept = tmp_path / "dotfiles.toml"
    kept.write_text("# mine\n")
    file.symlink_to(kept)
    set_value(file, "run.grace", 1)
    assert file.is_symlink()
    assert parsed(kept) == {"run": {"grace": 1}}


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("[run", "not valid TOML"),
        ("run = 3\n", "run is no table; unset it first"),
    ],
)
def test_a_file_that_cannot_be_changed_is_left_as_it_was(
    file: Path, before: str, message: str
) -> None:
    file.parent.mkdir()
    file.write_text(before)
    with pytest.raises(ConfigError, match=message):
        set_value(file, "run.grace", 1)
    assert file.read_text() == before
    assert sorted(os.listdir(file.parent)) == ["config.toml", "config.toml.lock"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"config\.toml: cannot be written: "):
        set_value(tmp_path / "file" / "config.toml", "run.grace", 1)
