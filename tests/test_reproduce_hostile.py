"""`roar reproduce` of records that nobody should trust, and of what cannot be had any more."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from roar_core.testing.projects import ProjectUnderTest, Result


def alter(project: ProjectUnderTest, statement: str, *values: Any) -> None:
    """Change the record as somebody else could have written it."""
    connection = sqlite3.connect(project.root / ".roar" / "roar.db")
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def git(project: ProjectUnderTest, *words: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *words],
        cwd=project.root,
        env=project.environment(),
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stdout.strip()


def target(project: ProjectUnderTest) -> Path:
    return project.root.parent / "again"


def again(project: ProjectUnderTest, ref: str, *more: str) -> Result:
    return project.roar("reproduce", ref, "--run", "-y", "--into", str(target(project)), *more)


@pytest.fixture
def copied(project: ProjectUnderTest) -> ProjectUnderTest:
    project.write("in", "1")
    project.run("cp", "in", "out")
    return project


def test_an_output_path_that_climbs_out_is_not_run(copied: ProjectUnderTest) -> None:
    alter(copied, "UPDATE edge SET path = '../evil' WHERE direction = 1")
    result = again(copied, "@1")
    assert result.exit_code == 3
    assert "outside the project" in result.stdout
    assert again(copied, "@1", "--keep-going").exit_code == 3
    assert not (copied.root.parent / "evil").exists()


def test_an_input_path_that_climbs_out_is_never_written(copied: ProjectUnderTest) -> None:
    alter(copied, "UPDATE edge SET path = 'a/../../evil' WHERE direction = 0")
    assert again(copied, "@1", "--keep-going").exit_code in (1, 3)
    assert not (copied.root.parent / "evil").exists()


def test_an_input_in_gits_own_directory_is_never_written(copied: ProjectUnderTest) -> None:
    alter(copied, "UPDATE edge SET path = '.git/hooks/post-checkout' WHERE direction = 0")
    again(copied, "@1", "--keep-going")
    assert not list(target(copied).glob("**/hooks/post-checkout"))


def test_a_working_directory_elsewhere_is_not_run(copied: ProjectUnderTest) -> None:
    alter(copied, "UPDATE job SET cwd = '/'")
    result = again(copied, "@1")
    assert result.exit_code == 3
    assert "working directory" in result.stdout


def test_words_of_a_command_are_words(copied: ProjectUnderTest) -> None:
    alter(copied, "UPDATE job SET command = ?", json.dumps(["cp", "in", "out; touch evil\n$(id)"]))
    plan = copied.roar("reproduce", "@1", "--into", str(target(copied)))
    assert "'out; touch evil" in plan.stdout
    assert "\ntouch" not in plan.stdout
    result = again(copied, "@1")
    assert result.exit_code == 1  # it wrote another name
    assert not list(copied.root.parent.glob("**/evil"))


@pytest.mark.parametrize("command", [["-rf"], ["--help"], ["roar-is-not-there"], ["\0"], []])
def test_a_command_that_is_none_ends_in_a_sentence(
    copied: ProjectUnderTest, command: list[str]
) -> None:
    alter(copied, "UPDATE job SET command = ?", json.dumps(command))
    result = again(copied, "@1")
    assert result.exit_code == 3
    assert "Traceback" not in result.stderr


def test_a_commit_that_is_an_option_is_not_given_to_git(copied: ProjectUnderTest) -> None:
    git(copied, "init", "-q")
    alter(copied, "UPDATE job SET git_commit = '--upload-pack=touch evil', git_remote = NULL")
    result = again(copied, "@1", "--keep-going")
    assert result.exit_code == 3
    assert not list(copied.root.parent.glob("**/evil"))


@pytest.mark.parametrize("remote", ["ext::sh -c 'touch evil'", "--upload-pack=touch evil", "fd::1"])
def test_a_remote_that_runs_commands_is_not_cloned(copied: ProjectUnderTest, remote: str) -> None:
    alter(copied, "UPDATE job SET git_commit = ?, git_remote = ?", "a" * 40, remote)
    result = again(copied, "@1")
    assert result.exit_code == 3
    assert "none to clone from" in result.stderr
    assert not list(copied.root.parent.glob("**/evil"))


def test_a_link_in_the_checkout_does_not_lead_a_copy_out(project: ProjectUnderTest) -> None:
    outside = project.root.parent / "outside"
    outside.mkdir()
    git(project, "init", "-q")
    (project.root / "data").mkdir()
    project.write("data/in", "1")
    project.run("cp", "data/in", "out")
    shutil.copytree(project.root / "data", project.root / "kept")
    shutil.rmtree(project.root / "data")
    (project.root / "data").symlink_to(outside)
    git(project, "add", "data")
    git(project, "commit", "-q", "-m", "a link")
    alter(project, "UPDATE job SET git_commit = ?", git(project, "rev-parse", "HEAD"))
    result = again(project, "@1")
    assert result.exit_code == 3
    assert "through a link" in result.stderr
    assert not list(outside.iterdir())


def test_a_commit_that_is_gone_is_named_and_fetched_from_the_recorded_remote(
    project: ProjectUnderTest,
) -> None:
    bare = project.root.parent / "remote.git"
    project.write("x.sh", "echo 1 > out\n")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "x.sh")
    git(project, "commit", "-q", "-m", "one")
    git(project, "clone", "-q", "--bare", ".", str(bare))
    git(project, "remote", "add", "origin", str(bare))
    project.run("sh", "x.sh")
    shutil.rmtree(project.root / ".git")
    git(project, "init", "-q", "-b", "main")
    result = again(project, "out")
    assert result.exit_code == 0, result.stderr
    assert "1 of 1 artifact" in result.stdout
    shutil.rmtree(target(project))
    alter(project, "UPDATE job SET git_remote = NULL")
    result = again(project, "out")
    assert result.exit_code == 3
    assert "no remote is recorded" in result.stdout


def test_a_fetched_input_is_looked_for_and_a_put_is_not_run_again(
    copied: ProjectUnderTest,
) -> None:
    """What is no `roar get` is not run as one, as shell or otherwise, and a put never is."""
    copied.run("cp", "out", "last")
    alter(copied, "UPDATE job SET kind = 'get' WHERE step_number = 1")
    result = again(copied, "last")
    assert result.exit_code == 0, result.stderr
    assert "@1" not in result.stdout
    shutil.rmtree(target(copied))
    (copied.root / "out").unlink()
    for name in ("in", "last"):
        copied.write(name, "other")
    result = again(copied, "@2")
    assert result.exit_code == 3
    assert "no roar get as roar records it" in result.stdout
    assert "'in' with the bytes" in result.stdout
    alter(copied, "UPDATE job SET kind = 'put' WHERE step_number = 2")
    result = again(copied, "@2")
    assert result.exit_code == 3
    assert "never run again" in result.stderr


@pytest.mark.parametrize(("answer", "exit_code"), [(b"y\n", 0), (b"n\n", 3), (b"\n", 3)])
def test_at_a_terminal_the_user_is_asked(
    copied: ProjectUnderTest, answer: bytes, exit_code: int
) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*copied.roar_argv, "reproduce", "@1", "--run", "--into", str(target(copied))],
        cwd=copied.root,
        env=copied.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as child:
        os.close(theirs)
        said, is_asked = b"", False
        while select.select([ours], [], [], 60)[0]:
            try:
                said += os.read(ours, 4096)
            except OSError:  # EIO: the last of its writers is gone
                break
            if b"[y/N]" in said and not is_asked:
                is_asked = True
                assert b"cp in out" in said
                assert not target(copied).exists()
                os.write(ours, answer)
        assert child.wait() == exit_code, said
    os.close(ours)
    assert is_asked
    assert target(copied).exists() == (exit_code == 0)


@pytest.mark.parametrize(
    "command",
    [
        ["roar", "run", "--", "touch", "owned"],
        ["roar", "get", "-o", "link/owned", "in"],
    ],
)
def test_a_recorded_get_only_fetches_and_only_into_the_target(
    project: ProjectUnderTest, command: list[str]
) -> None:
    """Its words go to roar itself, which could be told to do anything else."""
    source = project.write("in", "1")
    git(project, "init", "-q")
    (project.root / "link").symlink_to(project.root.parent)
    git(project, "add", "link")
    git(project, "commit", "-q", "-m", "c")
    assert project.roar("get", str(source), "out").exit_code == 0
    alter(project, "UPDATE job SET command = ?", json.dumps(command))
    result = again(project, "@1", "--keep-going")
    assert result.exit_code == 3
    assert "Traceback" not in result.stderr
    assert not [path for path in project.root.parent.rglob("*owned*") if ".roar" not in path.parts]
