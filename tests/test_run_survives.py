"""What is recorded when things die, fill up or happen at once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest

pytestmark = pytest.mark.usefixtures("each_tracer")


def start(project: ProjectUnderTest, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "roar_core", "run", "--", *command],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def integrity(project: ProjectUnderTest) -> str:
    with closing(sqlite3.connect(project.root / ".roar/roar.db")) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


def test_twenty_runs_at_once_lose_nothing(project: ProjectUnderTest) -> None:
    project.write("in.txt", "x")

    def one(number: int) -> int:
        return project.roar("run", "cp", "in.txt", f"out{number}.txt").exit_code

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(20))) == [0] * 20
    jobs = project.json("log", "-n", "100")["jobs"]
    assert sorted(int(job["step"][1:]) for job in jobs) == list(range(1, 21))
    assert {job["state"] for job in jobs} == {"succeeded"}
    assert integrity(project) == "ok"


def test_the_command_survives_the_killing_of_roar_and_is_recorded_later(
    project: ProjectUnderTest,
) -> None:
    project.write("in.txt", "x")
    script = "cat in.txt > first.txt; echo $$; read line < gate; cat in.txt > second.txt"
    os.mkfifo(project.root / "gate")
    with start(project, "sh", "-c", script) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
        # While the command lives its job is not closed over its head.
        assert project.json("show")["state"] == "running"
        (project.root / "gate").write_text("go\n")
        wait_for_the_end_of(child)
    job = project.json("show")
    assert job["state"] == "interrupted"
    assert {e["relative"] for e in job["outputs"]} == {"first.txt", "second.txt"}
    assert job["coverage"]["state"] == "partial"
    assert not list((project.root / ".roar/journals").iterdir())


def test_kill_after_kill_leaves_a_sound_database(project: ProjectUnderTest) -> None:
    for delay_ms in range(0, 400, 40):
        process = start(project, "true")
        try:
            process.wait(delay_ms / 1000)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
        if (project.root / ".roar/roar.db").exists():
            assert integrity(project) == "ok"
    assert project.roar("run", "true").exit_code == 0
    assert project.json("show")["state"] == "succeeded"


def test_a_background_process_is_left_running_and_told(project: ProjectUnderTest) -> None:
    result = project.run("sh", "-c", "sleep 30 >/dev/null 2>&1 & echo $!")
    child = int(result.stdout)
    assert Path(f"/proc/{child}").exists()
    os.kill(child, signal.SIGKILL)
    assert result.job is not None
    assert result.job["coverage"]["reasons"][0]["code"] == "outlived"
    assert "partial" in result.stderr


def test_an_unreadable_database_is_named_with_its_remedy(project: ProjectUnderTest) -> None:
    project.run("true")
    (project.root / ".roar/roar.db").write_bytes(b"this is no database" * 1000)
    result = project.roar("run", "touch", "started.txt")
    assert result.exit_code == 125
    assert "roar db recover" in result.stderr
    assert not (project.root / "started.txt").exists()


def wait_for_the_end_of(pid: int) -> None:
    """Wait for a process that is not our child."""
    descriptor = os.pidfd_open(pid)
    try:
        import select

        assert select.select([descriptor], [], [], 60)[0]
    finally:
        os.close(descriptor)
