"""What happens to a file while the command runs: by the command, and by somebody else."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from blake3 import blake3

from roar_core.testing.projects import ProjectUnderTest


def digest(content: bytes) -> str:
    return f"blake3:{blake3(content).hexdigest()}"


def settle(path: Path) -> None:
    """Wait until a later write must show in the times: the stat cache remembers only then."""
    while time.time_ns() - path.stat().st_mtime_ns < 50_000_000:
        time.sleep(0.01)


def test_both_versions_are_inputs_when_somebody_else_changes_a_file_between_two_reads(
    project: ProjectUnderTest,
) -> None:
    settle(project.write("data", "first"))
    project.run("cat", "data")
    script = "cat data; : > read; while [ ! -e changed ]; do sleep 0.02; done; cat data"
    process = subprocess.Popen(
        [sys.executable, "-m", "roar_core", "run", "sh", "-c", script],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
    )
    while not (project.root / "read").exists():
        time.sleep(0.01)
    project.write("data", "second")
    project.write("changed", "")
    assert process.wait(60) == 0
    inputs = project.json("show")["inputs"]
    hashes = {edge["hash"] for edge in inputs if edge["relative"] == "data"}
    assert hashes == {digest(b"first"), digest(b"second")}


def test_touching_a_file_whose_bytes_are_known_makes_no_output(project: ProjectUnderTest) -> None:
    settle(project.write("data", "bytes"))
    project.run("cat", "data")
    assert project.run("touch", "data").writes == set()


def test_touching_makes_no_output_even_when_the_touched_version_is_remembered_too(
    project: ProjectUnderTest,
) -> None:
    settle(project.write("data", "bytes"))
    project.run("cat", "data")
    script = """
import os, time
data = os.open("data", os.O_WRONLY)
os.utime(data)
while time.time_ns() - os.stat(data).st_ctime_ns < 50_000_000:
    time.sleep(0.01)
"""
    assert project.run("python", "-c", script).writes == set()


def test_a_database_deleted_by_the_command_is_told_and_its_exit_code_kept(
    project: ProjectUnderTest,
) -> None:
    project.roar("run", "true")
    for victim in (".roar", ".roar/roar.db"):
        result = project.roar("run", "sh", "-c", f"rm -rf {victim}; exit 3")
        assert result.exit_code == 3
        assert "was deleted while the command ran" in result.stderr
        assert "@" not in result.stderr, "nothing was recorded, so no step may be named"
        project.roar("run", "true")


def test_interrupts_while_recording_are_not_the_commands_end(project: ProjectUnderTest) -> None:
    with (project.root / "big").open("wb") as big:
        big.truncate(4 << 30)
    process = subprocess.Popen(
        [sys.executable, "-m", "roar_core", "run", "sh", "-c", "head -c 1 big; : > done; exit 3"],
        cwd=project.root,
        env=project.environment(),
        stderr=subprocess.DEVNULL,
    )
    while not (project.root / "done").exists():
        time.sleep(0.005)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert process.returncode == 3
    assert project.json("show")["exit_code"] == 3
