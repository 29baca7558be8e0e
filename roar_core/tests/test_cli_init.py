"""`roar init` makes a project, once, and keeps .roar out of git."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from roar_core.cli.main import run_command_line


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout to stand in."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_roar_dir_is_the_owners_alone(checkout: Path) -> None:
    assert run_command_line(["init"]) == 0
    roar_dir = checkout / ".roar"
    assert stat.S_IMODE(roar_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((roar_dir / "roar.db").stat().st_mode) == 0o600


def test_below_a_checkout_the_checkout_is_the_project(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "src").mkdir()
    monkeypatch.chdir(checkout / "src")
    assert run_command_line(["init"]) == 0
    assert (checkout / ".roar").is_dir()
    assert not (checkout / "src" / ".roar").exists()


def test_a_directory_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "a").mkdir()
    assert run_command_line(["init", "--path", str(tmp_path / "a")]) == 0
    assert (tmp_path / "a" / ".roar").is_dir()


def test_a_project_can_lie_below_another_without_git(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    assert run_command_line(["init", "--path", str(tmp_path)]) == 0
    assert run_command_line(["init", "--path", str(tmp_path / "inner")]) == 0
    assert (tmp_path / "inner" / ".roar").is_dir()


@pytest.mark.parametrize("path", ["nowhere", "file"])
def test_what_is_no_directory_is_refused(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run_command_line(["init", "--path", str(tmp_path / path)]) == 2
    err = capsys.readouterr().err
    assert path in err
    assert err.count("\n") == 1


def test_the_home_directory_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run_command_line(["init", "--path", str(tmp_path)]) != 0
    assert "too wide" in capsys.readouterr().err
    assert not (tmp_path / ".roar").exists()


@pytest.mark.needs("git")
@pytest.mark.parametrize(
    ("options", "seen_by_git"), [([], ""), (["--no-gitignore"], "?? .roar/\n")]
)
def test_git_sees_what_roar_keeps_only_when_asked(
    options: list[str], seen_by_git: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {**os.environ, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q"], check=True, env=environ)
    assert run_command_line(["init", *options]) == 0
    assert run_command_line(["init"]) == 0
    seen = subprocess.run(
        ["git", "status", "--porcelain"], check=True, env=environ, capture_output=True, text=True
    )
    assert seen.stdout == seen_by_git
