"""A repository's own configuration never gets a program of its choice started by roar."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from roar_core.environment.git import GitProbe
from roar_core.environment.snapshot import Snapshot, take_snapshot


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    folder = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "a.py").write_text("one\n")
    (folder / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    commit(folder)
    (folder / "a.py").write_text("two\n")
    return folder


def commit(folder: Path) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", "-C", folder, "add", "."], check=True)
    subprocess.run(["git", "-C", folder, *identity, "commit", "-qm", "x"], check=True)


def look(folder: Path) -> Snapshot:
    """What a run does: status, snapshot, and the question which files are the commit's."""
    probe = GitProbe.start(os.fspath(folder))
    status = probe.result()
    assert status is not None, probe.problem
    snapshot = take_snapshot(
        status,
        project=status.root,
        objects_dir=os.fspath(folder.parent / "objects"),
        known_output=lambda path: False,
        source_suffixes=(".py",),
    )
    probe.tracked_unmodified([f"{folder}/a.py"])
    probe.close()
    return snapshot


EVIL = "touch {mark}; cat"
SETTINGS = {
    "fsmonitor": '[core]\nfsmonitor = "{evil}"\n',
    "filter": '[filter "evil"]\nclean = "{evil}"\nsmudge = "{evil}"\nrequired = true\n',
    "process": '[filter "evil"]\nprocess = "{evil}"\nrequired = true\n',
    "textconv": '[diff "evil"]\ntextconv = "{evil}"\ncachetextconv = true\n',
    "driver": '[diff "evil"]\ncommand = "{evil}"\n',
    "external": '[diff]\nexternal = "{evil}"\n',
    "pager": '[core]\npager = "{evil}"\n[pager]\nstatus = "{evil}"\ndiff = "{evil}"\n',
    "alias": '[alias]\nstatus = "!{evil}"\ndiff = "!{evil}"\n',
    "ssh": '[core]\nsshCommand = "{evil}"\ngitProxy = "{evil}"\n',
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_program_named_by_the_repository_is_not_started(repo: Path, kind: str) -> None:
    mark = repo.parent / "owned"
    text = SETTINGS[kind].replace("{evil}", EVIL.format(mark=mark))
    with (repo / ".git/config").open("a") as file:
        file.write(text)
    assert look(repo).name is not None
    assert not mark.exists()


def test_the_test_itself_would_notice(repo: Path) -> None:
    mark = repo.parent / "owned"
    with (repo / ".git/config").open("a") as file:
        file.write(SETTINGS["filter"].replace("{evil}", EVIL.format(mark=mark)))
    subprocess.run(["git", "-C", repo, "diff"], check=True, capture_output=True)
    assert mark.exists()


def test_a_filter_hidden_in_an_included_file_is_not_started(repo: Path) -> None:
    mark = repo.parent / "owned"
    with (repo / ".git/config").open("a") as file:
        file.write("[include]\npath = ../more\n")
    (repo / "more").write_text(SETTINGS["filter"].replace("{evil}", EVIL.format(mark=mark)))
    assert look(repo).name is not None
    assert not mark.exists()


def test_hooks_are_not_started(repo: Path) -> None:
    mark = repo.parent / "owned"
    for name in ("post-index-change", "fsmonitor-watchman", "pre-commit"):
        hook = repo / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)
    os.utime(repo / ".gitattributes")
    look(repo)
    assert not mark.exists()


def test_a_partial_clone_fetches_nothing(repo: Path) -> None:
    mark = repo.parent / "owned"
    with (repo / ".git/config").open("a") as file:
        file.write("[core]\nrepositoryformatversion = 1\n[extensions]\npartialClone = evil\n")
        file.write(f'[remote "evil"]\nurl = "ext::sh -c touch% {mark}"\npromisor = true\n')
        file.write('[protocol "ext"]\nallow = always\n')
    for path in (repo / ".git/objects").glob("??/*"):
        if path.stat().st_size < 30:
            path.unlink()
    probe = GitProbe.start(os.fspath(repo))
    probe.result()
    probe.close()
    assert not mark.exists()


def test_a_filter_inside_a_submodule_is_not_started(repo: Path) -> None:
    mark = repo.parent / "owned"
    inner = repo / "inner"
    inner.mkdir()
    subprocess.run(["git", "init", "-q", inner], check=True)
    (inner / "b.py").write_text("one\n")
    (inner / ".gitattributes").write_text("*.py filter=evil\n")
    commit(inner)
    (repo / ".gitmodules").write_text('[submodule "inner"]\npath = inner\nurl = ../inner\n')
    commit(repo)
    (inner / "b.py").write_text("two\n")
    with (inner / ".git/config").open("a") as file:
        file.write(SETTINGS["filter"].replace("{evil}", EVIL.format(mark=mark)))
    assert f"{inner}/b.py" in look(repo).covers
    assert not mark.exists()


def test_a_submodule_path_cannot_lead_out_of_the_checkout(repo: Path) -> None:
    outside = repo.parent / "outside"
    subprocess.run(["git", "init", "-q", outside], check=True)
    (repo / ".gitmodules").write_text('[submodule "o"]\npath = ../outside\n')
    probe = GitProbe.start(os.fspath(repo))
    status = probe.result()
    probe.close()
    assert status is not None
    assert status.submodules == ()


@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF"]
)
def test_git_variables_of_the_caller_change_nothing(
    repo: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    expected = look(repo)
    monkeypatch.setenv(name, "/nonexistent")
    assert look(repo) == expected
