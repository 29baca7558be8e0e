"""The state of real checkouts, of every kind that git makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.environment.git import Change, GitProbe, GitStatus

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Runs git in a directory, with a home of its own."""
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    (tmp_path / ".gitconfig").write_text(
        "[user]\nname = t\nemail = t@example.org\n[init]\ndefaultBranch = main\n"
        '[protocol "file"]\nallow = always\n'
    )

    def run(folder: Path, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True)
        return done.stdout.decode(errors="surrogateescape").strip()

    return run


@pytest.fixture
def repo(tmp_path: Path, git: Git) -> Path:
    """A repository with one commit of a.py and data.csv."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.py").write_text("one\n")
    (folder / "data.csv").write_text("1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def status_of(folder: Path) -> GitStatus:
    probe = GitProbe.start(os.fspath(folder))
    try:
        status = probe.result()
        assert probe.problem is None
        assert status is not None
        return status
    finally:
        probe.close()


def unmodified(folder: Path, *paths: Path) -> set[str]:
    probe = GitProbe.start(os.fspath(folder))
    try:
        return probe.tracked_unmodified(map(os.fspath, paths))
    finally:
        probe.close()


def test_a_clean_checkout_is_its_commit_branch_and_remote(repo: Path, git: Git) -> None:
    git(repo, "remote", "add", "origin", "https://me:secret@example.org/r.git")
    (repo / "deep").mkdir()
    status = status_of(repo / "deep")
    assert status.root == os.fspath(repo)
    assert (status.commit, status.branch) == (git(repo, "rev-parse", "HEAD"), "main")
    assert status.remote == "https://example.org/r.git"
    assert (status.changes, status.untracked) == ((), ())


def test_outside_a_checkout_there_is_no_status_and_no_problem(tmp_path: Path) -> None:
    probe = GitProbe.start(os.fspath(tmp_path))
    assert (probe.result(), probe.problem) == (None, None)
    assert probe.tracked_unmodified(["/etc/passwd"]) == set()
    probe.close()


def test_before_the_first_commit_there_is_no_commit(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "new")
    status = status_of(tmp_path / "new")
    assert (status.commit, status.branch) == (None, "main")


def test_a_detached_head_has_no_branch(repo: Path, git: Git) -> None:
    git(repo, "checkout", "-q", "--detach")
    assert status_of(repo).branch is None


def test_changes_of_every_kind_are_seen(repo: Path, git: Git) -> None:
    git(repo, "mv", "data.csv", "renamed.csv")
    (repo / "a.py").write_text("two\n")
    (repo / "staged.py").write_text("x")
    git(repo, "add", "staged.py")
    (repo / "new.py").write_text("x")
    status = status_of(repo)
    assert {(os.path.basename(path), kind) for path, kind in status.changes} == {
        ("a.py", ".M"),
        ("data.csv", "D."),
        ("renamed.csv", "A."),
        ("staged.py", "A."),
    }
    assert status.untracked == (f"{repo}/new.py",)


def test_a_conflict_is_a_change(repo: Path, git: Git) -> None:
    git(repo, "checkout", "-qb", "other")
    (repo / "a.py").write_text("theirs\n")
    git(repo, "commit", "-qam", "theirs")
    git(repo, "checkout", "-q", "main")
    (repo / "a.py").write_text("ours\n")
    git(repo, "commit", "-qam", "ours")
    with pytest.raises(subprocess.CalledProcessError):
        git(repo, "merge", "other")
    assert status_of(repo).changes == (Change(f"{repo}/a.py", "UU"),)
    assert unmodified(repo, repo / "a.py", repo / "data.csv") == {f"{repo}/data.csv"}


def test_names_of_any_bytes_survive(repo: Path, git: Git) -> None:
    odd = {os.fsdecode(name) for name in (b"new\nline.py", b"\xff\xfe.py", b" lead", b'q"\\uote')}
    for name in odd:
        (repo / name).write_text("x")
    assert set(status_of(repo).untracked) == {f"{repo}/{name}" for name in odd}
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "odd")
    assert unmodified(repo, *(repo / name for name in odd)) == {f"{repo}/{name}" for name in odd}


def test_ignored_files_and_nested_repositories_are_not_untracked_files(
    repo: Path, git: Git
) -> None:
    (repo / ".gitignore").write_text("*.log\n.gitignore\n")
    (repo / "x.log").write_text("x")
    git(repo, "init", "-q", "nested")
    (repo / "nested" / "y.py").write_text("y")
    assert status_of(repo).untracked == ()


def test_the_users_display_settings_change_nothing(repo: Path, git: Git, tmp_path: Path) -> None:
    git(repo, "mv", "data.csv", "renamed.csv")
    expected = status_of(repo)
    with (tmp_path / ".gitconfig").open("a") as file:
        file.write("[status]\nrenames=copies\nrelativePaths=true\nshowUntrackedFiles=no\nshort=1\n")
        file.write("[core]\nquotepath=true\n[color]\nui=always\n[column]\nui=always\n")
    (repo / "new.py").write_text("x")
    status = status_of(repo)
    assert (status.changes, status.untracked) == (expected.changes, (f"{repo}/new.py",))


def test_a_linked_worktree_is_a_checkout_of_its_own(repo: Path, git: Git, tmp_path: Path) -> None:
    git(repo, "remote", "add", "origin", "https://example.org/r")
    git(repo, "worktree", "add", "-qb", "side", "../side")
    (tmp_path / "side" / "a.py").write_text("changed\n")
    status = status_of(tmp_path / "side")
    assert (status.root, status.branch) == (f"{tmp_path}/side", "side")
    assert status.remote == "https://example.org/r"
    assert status.changes == (Change(f"{tmp_path}/side/a.py", ".M"),)
    paths = [tmp_path / "side" / name for name in ("a.py", "data.csv")]
    assert unmodified(tmp_path / "side", *paths) == {f"{tmp_path}/side/data.csv"}


def test_a_working_tree_elsewhere_is_the_root(repo: Path, git: Git, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    git(repo, "config", "core.worktree", "../../tree")
    status = status_of(repo)
    assert status.root == f"{tmp_path}/tree"
    assert Change(f"{tmp_path}/tree/a.py", ".D") in status.changes


def test_changes_inside_submodules_are_seen(repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "top")
    top = tmp_path / "top"
    git(top, "submodule", "--quiet", "add", os.fspath(repo), "libs/sub")
    git(top, "commit", "-qm", "with submodule")
    assert status_of(top).changes == ()
    (top / "libs/sub/a.py").write_text("changed\n")
    (top / "libs/sub/new.py").write_text("new\n")
    status = status_of(top)
    assert status.changes == (Change(f"{top}/libs/sub/a.py", ".M"),)
    assert status.untracked == (f"{top}/libs/sub/new.py",)
    asked = [top / "libs/sub" / name for name in ("a.py", "data.csv")]
    assert unmodified(top, *asked) == {f"{top}/libs/sub/data.csv"}
    assert status_of(top / "libs/sub").root == f"{top}/libs/sub"


def test_a_submodule_at_another_commit_is_not_held_by_the_recorded_one(
    repo: Path, git: Git, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "top")
    top = tmp_path / "top"
    git(top, "submodule", "--quiet", "add", os.fspath(repo), "sub")
    git(top, "commit", "-qm", "with submodule")
    (top / "sub/a.py").write_text("moved on\n")
    git(top / "sub", "commit", "-qam", "further")
    assert [change.path for change in status_of(top).changes] == [f"{top}/sub"]
    assert unmodified(top, top / "sub/a.py", top / "sub/data.csv") == set()


def test_a_broken_submodule_hurts_only_itself(repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "top")
    top = tmp_path / "top"
    git(top, "submodule", "--quiet", "add", os.fspath(repo), "sub")
    (top / "own.py").write_text("own")
    git(top, "add", "own.py")
    git(top, "commit", "-qm", "with submodule")
    (top / ".git/modules/sub/index").write_text("garbage")
    probe = GitProbe.start(os.fspath(top))
    status = probe.result()
    assert status is not None
    assert status.commit == git(top, "rev-parse", "HEAD")
    assert str(probe.problem).startswith(f"git status failed in {top}/sub: ")
    asked = [f"{top}/own.py", f"{top}/sub/a.py"]
    assert probe.tracked_unmodified(asked) == {f"{top}/own.py"}
    probe.close()


def test_only_tracked_and_unmodified_files_are_the_commits(repo: Path) -> None:
    (repo / "a.py").write_text("changed\n")
    (repo / "new.py").write_text("new\n")
    asked = [repo / name for name in ("a.py", "data.csv", "new.py", "gone")]
    assert unmodified(repo, *asked, Path("/etc/passwd")) == {f"{repo}/data.csv"}


def test_the_index_asked_is_the_one_from_before_the_run(repo: Path, git: Git) -> None:
    probe = GitProbe.start(os.fspath(repo))
    probe.result()
    git(repo, "rm", "-q", "--cached", "a.py")
    (repo / "later.py").write_text("x")
    git(repo, "add", "later.py")
    asked = [f"{repo}/a.py", f"{repo}/later.py"]
    assert probe.tracked_unmodified(asked) == {f"{repo}/a.py"}
    probe.close()


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_is_told_not_to_compare_is_not_the_commits(
    repo: Path, git: Git, flag: str
) -> None:
    git(repo, "update-index", flag, "a.py")
    (repo / "a.py").write_text("changed behind git's back\n")
    assert status_of(repo).changes == ()
    assert unmodified(repo, repo / "a.py", repo / "data.csv") == {f"{repo}/data.csv"}


@pytest.mark.parametrize("form", ["2", "3", "4", "split", "sha256"])
def test_every_form_of_index_is_read(repo: Path, git: Git, tmp_path: Path, form: str) -> None:
    if form == "sha256":
        shutil.rmtree(repo / ".git")
        git(repo, "init", "-q", "--object-format=sha256")
    names = [f"d{n % 7}/" + "x" * (n % 11) + f"{n}.py" for n in range(60)]
    for name in names:
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text(name)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "many")
    if form == "split":
        git(repo, "update-index", "--split-index")
    elif form == "3":
        (repo / "ita").write_text("")
        git(repo, "add", "-N", "ita")
    elif form.isdigit():
        git(repo, "update-index", "--index-version", form)
    asked = [repo / name for name in names]
    assert unmodified(repo, *asked, repo / "other") == set(map(os.fspath, asked))


def test_a_checkout_without_git_installed_is_a_problem_told(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.fspath(repo))
    probe = GitProbe.start(os.fspath(repo))
    assert probe.result() is None
    assert probe.problem == ("git is not installed, so the commit of this checkout is not recorded")
    probe.close()


@pytest.mark.parametrize("damaged", ["HEAD", "index", "config"])
def test_a_corrupt_repository_is_a_problem_told_in_one_sentence(repo: Path, damaged: str) -> None:
    (repo / ".git" / damaged).write_bytes(b"\x00garbage[\n")
    probe = GitProbe.start(os.fspath(repo))
    assert probe.result() is None
    assert probe.problem is not None
    assert probe.problem.startswith(f"git status failed in {repo}: ")
    assert "\n" not in probe.problem
    assert probe.tracked_unmodified([f"{repo}/a.py"]) == set()
    probe.close()


def test_a_checkout_of_another_user_is_a_problem_with_its_remedy(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "bin/git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(wrapper.parent))
    probe = GitProbe.start(os.fspath(repo))
    assert probe.result() is None
    assert probe.problem == (
        f"git does not trust {repo}, which another user owns;"
        f" allow it with: git config --global --add safe.directory {repo}"
    )
    probe.close()


def test_looking_writes_nothing_into_the_repository(repo: Path) -> None:
    before = (repo / ".git/index").stat().st_mtime_ns
    os.utime(repo / "a.py", ns=(1, 1))
    assert status_of(repo).changes == ()
    assert (repo / ".git/index").stat().st_mtime_ns == before


def test_a_status_larger_than_a_pipe_is_read(repo: Path) -> None:
    for number in range(2000):
        (repo / f"{number:060}.txt").touch()
    assert len(status_of(repo).untracked) == 2000


def test_an_abandoned_probe_leaves_no_process_and_no_descriptor(repo: Path) -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = (os.listdir("/proc/self/fd"), children.read_text())
    probe = GitProbe.start(os.fspath(repo))
    probe.close()
    assert (os.listdir("/proc/self/fd"), children.read_text()) == before
