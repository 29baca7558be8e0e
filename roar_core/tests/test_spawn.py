"""Which file a command's name means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roar_core.run.spawn import CannotStartError, find_program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program").touch(0o755)
    (tmp_path / "data").touch(0o644)
    return tmp_path


def test_the_path_is_searched_as_a_shell_would(folder: Path) -> None:
    assert find_program("program", f"/absent:{folder}") == str(folder / "program")


def test_an_empty_entry_of_the_path_is_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert os.path.samefile(find_program("program", "/absent:"), folder / "program")


def test_a_name_with_a_slash_is_not_searched(folder: Path) -> None:
    with pytest.raises(CannotStartError) as caught:
        find_program("./program-that-is-not-there", str(folder))
    assert caught.value.exit_code == 127


@pytest.mark.parametrize(("name", "exit_code"), [("data", 126), ("absent", 127), ("", 127)])
def test_what_cannot_be_started_has_the_shells_exit_code(
    folder: Path, name: str, exit_code: int
) -> None:
    with pytest.raises(CannotStartError) as caught:
        find_program(name, str(folder))
    assert caught.value.exit_code == exit_code
