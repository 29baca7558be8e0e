"""A snapshot holds what the commit does not, so that commit and snapshot give the tree back."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roar_core.environment.git import GitProbe, GitStatus
from roar_core.environment.objects import object_path, store_object
from roar_core.environment.snapshot import Snapshot, is_dirty, take_snapshot
from roar_core.errors import RefusedError

SUFFIXES = (".py", ".sh", ".c")


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit of a.py, table.bin and run.sh."""
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    (tmp_path / ".gitconfig").write_text(
        '[user]\nname = t\nemail = t@example.org\n[protocol "file"]\nallow = always\n'
    )
    folder = tmp_path / "repo"
    git(tmp_path, "init", "-q", folder)
    (folder / "a.py").write_text("one\ntwo\n")
    (folder / "table.bin").write_bytes(bytes(range(256)) * 4)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def git(folder: Path, *words: str | Path) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def status_of(folder: Path) -> GitStatus:
    probe = GitProbe.start(os.fspath(folder))
    status = probe.result()
    probe.close()
    assert status is not None, probe.problem
    return status


def snap(folder: Path, known: Callable[[str], bool] = lambda path: False, **more: Any) -> Snapshot:
    return take_snapshot(
        status_of(folder),
        project=os.fspath(folder),
        objects_dir=os.fspath(folder.parent / "objects"),
        known_output=known,
        source_suffixes=SUFFIXES,
        **more,
    )


def dirty(folder: Path, known: Callable[[str], bool] = lambda path: False) -> bool:
    return is_dirty(status_of(folder), known_output=known, source_suffixes=SUFFIXES)


def content_of(folder: Path, snapshot: Snapshot) -> tarfile.TarFile:
    assert snapshot.name is not None
    stored = Path(object_path(os.fspath(folder.parent / "objects"), snapshot.name))
    return tarfile.open(fileobj=io.BytesIO(stored.read_bytes()))


def apply(snapshot: Snapshot, repo: Path, target: Path) -> None:
    """What the module's docstring says: a clone of the commit, the patch, a copy of the files."""
    git(repo.parent, "clone", "-q", repo, target)
    content = content_of(repo, snapshot)
    scratch = target.parent / "unpacked"
    content.extractall(scratch, filter="fully_trusted")
    if (scratch / "patch.diff").exists():
        git(target, "apply", scratch / "patch.diff")
    if (scratch / "files").exists():
        shutil.copytree(scratch / "files", target, symlinks=True, dirs_exist_ok=True)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Path -> (kind and executable bit, content) of everything but .git."""
    found = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = Path(parent, name)
            mode = path.lstat().st_mode
            data = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            kind = stat.S_IFMT(mode) | (0 if path.is_symlink() else mode & 0o100)
            found[os.fspath(path.relative_to(folder))] = (kind, data)
    return found


def make_dirty(repo: Path) -> None:
    (repo / "a.py").write_text("one\nTWO\nno newline at the end")
    (repo / "table.bin").write_bytes(bytes(range(255, -1, -1)) * 5)
    (repo / "run.sh").chmod(0o755)
    (repo / "staged.py").write_text("staged\n")
    git(repo, "add", "staged.py")
    (repo / "staged.py").write_text("and changed again\n")
    (repo / "new").mkdir()
    (repo / "new/tool.sh").write_text("#!/bin/sh\n")
    (repo / "new/tool.sh").chmod(0o775)
    (repo / "new/link.py").symlink_to("../a.py")
    (repo / os.fsdecode(b"odd\n\xff.py")).write_text("odd")
    (repo / ("deep/" * 30) / "long.py").parent.mkdir(parents=True)
    (repo / ("deep/" * 30) / "long.py").write_text("long")
    (repo / "Makefile").write_text("all:\n")


def test_commit_and_snapshot_give_the_dirty_tree_back(repo: Path, tmp_path: Path) -> None:
    make_dirty(repo)
    (repo / "empty.py").touch()
    apply(snap(repo), repo, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(repo)


def test_deletions_are_part_of_it(repo: Path, tmp_path: Path) -> None:
    (repo / "a.py").unlink()
    git(repo, "mv", "table.bin", "moved.bin")
    apply(snap(repo), repo, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(repo)


def test_everything_before_the_first_commit_is_kept(tmp_path: Path, repo: Path) -> None:
    fresh = tmp_path / "fresh"
    git(tmp_path, "init", "-q", fresh)
    (fresh / "x.py").write_text("x")
    git(fresh, "add", "x.py")
    names = content_of(fresh, snap(fresh)).getnames()
    assert names == ["patch.diff"]


def test_changes_in_a_submodule_lie_under_its_place(repo: Path, tmp_path: Path) -> None:
    top = tmp_path / "top"
    git(tmp_path, "init", "-q", top)
    git(top, "submodule", "--quiet", "add", repo, "libs/sub")
    git(top, "commit", "-qm", "x")
    (top / "libs/sub/a.py").write_text("changed\n")
    (top / "libs/sub/new.py").write_text("new\n")
    content = content_of(top, snap(top))
    assert content.getnames() == ["files/libs/sub/new.py", "patch.diff"]
    patch = content.extractfile("patch.diff")
    assert patch is not None
    assert b"--- a/libs/sub/a.py\n+++ b/libs/sub/a.py\n" in patch.read()


def test_equal_trees_have_equal_names_whatever_the_settings_and_times(
    repo: Path, tmp_path: Path
) -> None:
    make_dirty(repo)
    first = snap(repo)
    with (tmp_path / ".gitconfig").open("a") as file:
        file.write(
            "[diff]\nnoprefix=true\ncontext=9\nalgorithm=patience\nrenames=copies\nexternal=false\n"
            "mnemonicPrefix=true\nsuppressBlankEmpty=true\norderFile=/dev/zero\nrelative=true\n"
            "interHunkContext=3\nwsErrorHighlight=all\nsubmodule=log\n[color]\nui=always\n"
            "[core]\nquotepath=true\nabbrev=4\n"
        )
    for path in repo.glob("*.py"):
        os.utime(path)
    (repo / "new/tool.sh").chmod(0o700)
    assert snap(repo).name == first.name


def test_the_object_is_named_by_its_hash_and_private(repo: Path) -> None:
    from blake3 import blake3

    make_dirty(repo)
    name = snap(repo).name
    assert name is not None
    objects = repo.parent / "objects"
    digest = name.removeprefix("blake3:")
    stored = objects / digest[:2] / digest[2:]
    assert blake3(stored.read_bytes()).hexdigest() == digest
    assert stored.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in objects.rglob("*") if path.is_file()] == [stored.name]


def test_a_clean_tree_is_not_dirty_and_keeps_nothing(repo: Path) -> None:
    assert not dirty(repo)
    assert snap(repo) == Snapshot()
    assert not (repo.parent / "objects").exists()


def test_data_that_is_not_tracked_does_not_make_the_tree_dirty(repo: Path) -> None:
    for name in ("data.csv", "model.pkl", "huge.bin", ".env", "notes"):
        (repo / name).write_text("x")
    (repo / ".roar").mkdir()
    (repo / ".roar/config.toml").write_text("")
    assert not dirty(repo)
    assert snap(repo).name is None


def test_source_that_is_not_tracked_makes_the_tree_dirty(repo: Path) -> None:
    (repo / "new.py").write_text("x")
    assert dirty(repo)


def test_an_executable_script_without_a_suffix_is_source(repo: Path) -> None:
    (repo / "tool").write_text("#!/bin/sh\n")
    (repo / "tool").chmod(0o755)
    assert dirty(repo)
    assert snap(repo).files == (f"{repo}/tool",)


def test_an_output_of_an_earlier_run_does_not_make_the_tree_dirty(repo: Path) -> None:
    generated = f"{repo}/generated.py"
    Path(generated).write_text("x")
    assert not dirty(repo, {generated}.__contains__)
    taken = snap(repo, {generated}.__contains__)
    assert (taken.name, taken.outputs) == (None, (generated,))


def test_a_changed_tracked_file_is_dirty_even_if_a_run_wrote_it(repo: Path) -> None:
    (repo / "table.bin").write_bytes(b"new")
    assert dirty(repo, lambda path: True)


def test_it_covers_exactly_what_it_holds(repo: Path) -> None:
    (repo / "a.py").write_text("changed")
    (repo / "new.py").write_text("x")
    (repo / "data.csv").write_text("x")
    taken = snap(repo)
    assert taken.files == (f"{repo}/new.py",)
    assert taken.covers == {f"{repo}/a.py", f"{repo}/new.py"}


def test_above_the_limit_nothing_is_stored_and_the_ways_out_are_told(repo: Path) -> None:
    (repo / "big.py").write_text("x" * 5000)
    taken = snap(repo, max_bytes=4096)
    assert taken.name is None
    assert taken.too_large is not None
    for words in ("'big.py'", "git.snapshot_max", "commit", ".gitignore", "--dirty allow"):
        assert words in taken.too_large
    assert not (repo.parent / "objects").exists()


def test_a_patch_above_the_limit_is_not_stored_either(repo: Path) -> None:
    (repo / "table.bin").write_bytes(os.urandom(3 << 20))
    taken = snap(repo, max_bytes=1 << 20)
    assert taken.too_large is not None
    assert "'table.bin' with 3.0 MiB" in taken.too_large


def test_a_source_file_that_cannot_be_kept_is_named(repo: Path) -> None:
    (repo / "gone.py").write_text("x")
    status = status_of(repo)
    (repo / "gone.py").unlink()
    os.mkfifo(repo / "gone.py")
    taken = take_snapshot(
        status,
        project=os.fspath(repo),
        objects_dir=os.fspath(repo.parent / "objects"),
        known_output=lambda path: False,
        source_suffixes=SUFFIXES,
    )
    assert (taken.name, taken.unreadable) == (None, (f"{repo}/gone.py",))


def test_an_object_cut_short_by_a_crash_is_written_again(tmp_path: Path) -> None:
    objects = os.fspath(tmp_path)
    name = store_object(objects, b"content")
    Path(object_path(objects, name)).write_bytes(b"con")
    assert store_object(objects, b"content") == name
    assert Path(object_path(objects, name)).read_bytes() == b"content"


def test_a_snapshot_that_cannot_be_written_refuses_the_run(repo: Path) -> None:
    (repo / "new.py").write_text("x")
    (repo.parent / "objects").write_text("a file where a directory should be")
    with pytest.raises(RefusedError, match=r"cannot be written to .*; make room .* --dirty allow"):
        snap(repo)


def test_a_diff_that_git_cannot_make_refuses_the_run(repo: Path) -> None:
    (repo / "a.py").write_text("changed")
    status = status_of(repo)
    shutil.rmtree(repo / ".git/objects")
    (repo / ".git/objects").mkdir()
    with pytest.raises(RefusedError, match=r"cannot be kept: git diff failed: .*--dirty allow"):
        take_snapshot(
            status,
            project=os.fspath(repo),
            objects_dir=os.fspath(repo.parent / "objects"),
            known_output=lambda path: False,
            source_suffixes=SUFFIXES,
        )
