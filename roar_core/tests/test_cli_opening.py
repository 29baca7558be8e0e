"""A job whose roar was killed is completed by whichever command comes next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from roar_core.testing.projects import ProjectUnderTest


def _start_and_kill(project: ProjectUnderTest, script: str) -> None:
    """Kill roar, and then its command, once the command has written `ready`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "roar_core", "run", "--", "sh", "-c", script],
        cwd=project.root,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ready = project.root / "ready"
    deadline = time.monotonic() + 30
    while not (ready.exists() and ready.read_text().strip()):
        assert time.monotonic() < deadline, "the command did not start"
        time.sleep(0.01)
    process.kill()
    process.wait()
    os.kill(int(ready.read_text()), signal.SIGKILL)


def test_the_next_command_completes_a_job_whose_roar_was_killed(project: ProjectUnderTest) -> None:
    project.write("in.txt", "1")
    _start_and_kill(project, "cat in.txt > out.txt; echo $$ > ready; exec sleep 60")
    told = project.roar("log")
    assert "@1 is completed from its journal" in told.stderr
    assert "interrupted" in told.stdout
    job = project.json("show")
    assert job["state"] == "interrupted"
    assert "in.txt" in {edge["relative"] for edge in job["inputs"]}
    assert "out.txt" in {edge["relative"] for edge in job["outputs"]}
    assert project.roar("log").stderr == ""


def test_a_job_that_still_runs_is_shown_as_running(project: ProjectUnderTest) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "roar_core", "run", "--", "sh", "-c", "echo > ready; cat"],
        cwd=project.root,
        env=project.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not (project.root / "ready").exists():
        assert time.monotonic() < deadline, "the command did not start"
        time.sleep(0.01)
    for command in ("status", "log", "dag", "show"):
        told = project.roar(command)
        assert (told.exit_code, told.stderr) == (0, "")
        assert "running" in told.stdout or "…" in told.stdout
    process.communicate()
    assert process.returncode == 0
    assert project.json("show")["state"] == "succeeded"


def test_a_journal_that_no_job_needs_is_removed(project: ProjectUnderTest) -> None:
    project.roar("run", "true")
    old = project.write(".roar/journals/00112233445566778899aabbccddeeff.jnl", "killed too early")
    os.utime(old, (1, 1))
    young = project.write(".roar/journals/ff112233445566778899aabbccddeeff.jnl", "about to begin")
    project.roar("run", "true")
    assert not old.exists()
    assert young.exists()


def test_a_job_that_cannot_be_completed_yet_hides_nothing(project: ProjectUnderTest) -> None:
    project.roar("run", "true")
    _start_and_kill(project, "echo $$ > ready; exec sleep 60")
    config = project.write(".roar/config.toml", "not toml")
    told = project.roar("log")
    assert told.exit_code == 0
    assert "not completed yet: " in told.stderr
    assert "config.toml" in told.stderr
    assert "@1" in told.stdout
    config.unlink()
    assert "@2 is completed from its journal" in project.roar("log").stderr
