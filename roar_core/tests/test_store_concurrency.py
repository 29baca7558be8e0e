"""Many processes at once, and processes killed at any moment: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from roar_core.store.writer import Store

# argv: project, how many jobs ("0": until killed), name of the command.
RECORDER = """
import os, sys, time
from pathlib import Path
import attrs
from roar_core.model.job import Edge, Job
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
root, count, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
number = 0
while number < count or count == 0:
    with Store.open(Path(root, ".roar"), create=True) as store:
        uid, command = os.urandom(16).hex(), (name, str(number % 3))
        job = Job(uid, "run", command, root, root, "running", time.time_ns())
        job = store.begin(job, owner=Owner.current())
        edges = tuple(
            Edge(f"{root}/{name}/{number}/{i}", 3, {"blake3": os.urandom(32).hex()})
            for i in range(50)
        )
        store.complete(attrs.evolve(job, state="succeeded", exit_code=0, outputs=edges))
        print(job.uid, flush=True)
    number += 1
"""


def recorder(root: Path, count: int, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(root), str(count), name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_twenty_processes_lose_nothing_and_number_every_step_once(tmp_path: Path) -> None:
    processes = [recorder(tmp_path, 6, f"command-{number % 10}") for number in range(20)]
    uids = set()
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        uids |= set(out.split())
    with Store.open(tmp_path / ".roar", read_only=True) as store:
        recorded = store.jobs_of_session()
    assert {job.uid for job in recorded} == uids
    assert len(uids) == 120
    assert {len(job.outputs) for job in recorded} == {50}
    # Ten commands with three arguments, each started by two processes twice: 30 steps, 4 attempts.
    places = [(job.step.number, job.step.attempt) for job in recorded]
    assert sorted(places) == [(step, attempt) for step in range(1, 31) for attempt in range(1, 5)]
    assert len({job.command for job in recorded}) == 30
    assert len({(job.command, job.step.number) for job in recorded}) == 30


@pytest.mark.slow
def test_processes_killed_at_any_moment_leave_a_sound_database(tmp_path: Path) -> None:
    reported: set[str] = set()
    Store.open(tmp_path / ".roar", create=True).close()
    for round_number in range(12):
        processes = [recorder(tmp_path, 0, f"command-{number}") for number in range(3)]
        for process in processes:
            assert process.stdout is not None
            reported.add(process.stdout.readline().strip())
        # Different moments of the loop in every round.
        time.sleep(0.003 * round_number)
        for process in processes:
            os.kill(process.pid, signal.SIGKILL)
        for process in processes:
            out, err = process.communicate(timeout=60)
            assert err == ""
            reported |= {line for line in out.split("\n") if len(line) == 32}
        connection = sqlite3.connect(tmp_path / ".roar/roar.db")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()
    with Store.open(tmp_path / ".roar") as store:
        jobs: dict[str, Any] = {job.uid: job for job in store.jobs_of_session()}
        running = [orphan.job.uid for orphan in store.orphans()]
    assert reported <= jobs.keys()
    for uid, job in jobs.items():
        assert (job.state, len(job.outputs)) == (
            ("running", 0) if uid in running else ("succeeded", 50)
        )


@pytest.mark.slow
def test_twenty_processes_make_one_database(tmp_path: Path) -> None:
    processes = [recorder(tmp_path, 1, "same") for _ in range(20)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
    with Store.open(tmp_path / ".roar", read_only=True) as store:
        steps = sorted(job.step.attempt for job in store.jobs_of_session())
    assert steps == list(range(1, 21))
