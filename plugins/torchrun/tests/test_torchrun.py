"""Each rank of `torchrun` is a task: what it read and wrote itself, of what the run did."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import roar_torchrun
from roar_core.hookspecs import ExecutionBackend, Match, ProcessTask
from roar_core.testing.backend import ProcessContract
from roar_core.testing.processes import kill_group, wait_for
from roar_core.testing.projects import ProjectUnderTest
from roar_torchrun import TorchrunBackend

AGENT = Path(__file__).with_name("elastic_agent.py")

# All ranks read one file, each one of its own, and then what the first has written. None is so
# quick that roar has not looked at it.
TRAIN = """
import glob, os, pathlib, subprocess, sys, time
rank, pid = os.environ["RANK"], f"[{os.getpid()},"
while not any(pid in open(told).read() for told in glob.glob(".roar/runs/*/*/processes")):
    time.sleep(0.01)
pathlib.Path("all.txt").read_text(), pathlib.Path(f"{rank}.in").read_text()
subprocess.run(["sh", "-c", f"tr a-z A-Z < {rank}.in > {rank}.copy"], check=True)
if rank == "0":
    pathlib.Path("first.tmp").write_text("x")
    os.rename("first.tmp", "first.txt")
while not os.path.exists("first.txt"):
    time.sleep(0.01)
pathlib.Path("first.txt").read_text()
pathlib.Path(f"{rank}.{os.environ['TORCHELASTIC_RESTART_COUNT']}.out").write_text(rank)
"""


class TestTorchrun(ProcessContract):
    claimed = ("torchrun", "--nproc-per-node", "2", "train.py")
    environ = {  # noqa: RUF012 - the kit's
        "RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }

    @pytest.fixture
    def make_backend(self) -> Callable[[], ExecutionBackend]:
        return TorchrunBackend

    def test_a_rank_and_its_restart_are_a_task_and_its_attempt(self) -> None:
        environ = {**self.environ, "TORCHELASTIC_RESTART_COUNT": "3"}
        assert TorchrunBackend().task_of(environ) == ProcessTask("rank 1", attempt=4, among=2)


@pytest.mark.parametrize(
    ("line", "is_ours"),
    [
        ("torchrun train.py", True),
        ("/opt/venv/bin/torchrun --nnodes 2 train.py", True),
        ("python -m torch.distributed.run train.py", True),
        ("python3.11 -u -W error -m torch.distributed.launch train.py", True),
        ("python -Xdev -mtorch.distributed.run train.py", True),
        ("python -Ximporttime -m torch.distributed.run train.py", True),
        ("python -IWmodule -mtorch.distributed.run train.py", True),
        ("python -cm torch.distributed.run", False),
        ("accelerate launch train.py", True),
        ("accelerate config", False),
        ("python train.py -m torch.distributed.run", False),
        ("python -m", False),
        ("python -c 'import torch' -m torch.distributed.run", False),
        ("echo torchrun", False),
    ],
)
def test_its_launchers_are_known_by_their_words(line: str, is_ours: bool) -> None:
    match = TorchrunBackend().detect(shlex.split(line), {}, Path("/"))
    assert isinstance(match, Match) is is_ours


@pytest.fixture
def torchrun(project: ProjectUnderTest) -> str:
    """A program of that name."""
    project.environ["PYTHONPATH"] = str(Path(roar_torchrun.__file__).parents[1])
    path = project.root / "torchrun"
    path.write_text(f'#!/bin/sh\nexec {shlex.join((sys.executable, str(AGENT)))} "$@"\n')
    path.chmod(0o755)
    project.write("all.txt", "all")
    for rank in range(2):
        project.write(f"{rank}.in", f"of rank {rank}")
    project.write("train.py", TRAIN)
    return "./torchrun"


def tasks_of(job: Any) -> dict[tuple[str, int], Any]:
    found = [task for group in job["tasks"] for task in group["jobs"]]
    return {(task["task"]["task"], task["task"]["attempt"]): task for task in found}


def shown(project: ProjectUnderTest, uid: str) -> tuple[dict[str, str], set[str]]:
    """The inputs, each with its producer, and the outputs; sources and launchers left out."""
    job = project.json("show", uid)
    inputs = {e["relative"]: e["producer"] for e in job["inputs"] if e["relative"]}
    return {n: p for n, p in inputs.items() if n not in ("train.py", "torchrun")}, {
        edge["relative"] for edge in job["outputs"]
    }


def test_each_rank_is_a_task_with_what_it_did_itself(
    project: ProjectUnderTest, torchrun: str
) -> None:
    result = project.run(torchrun, "--nproc-per-node=2", "train.py")
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    assert result.job["coverage"]["reasons"] == []
    tasks = tasks_of(result.job)
    assert {key: (t["name"], t["state"]) for key, t in tasks.items()} == {
        ("rank 0", 1): ("train.py", "succeeded"),
        ("rank 1", 1): ("train.py", "succeeded"),
    }
    first, second = tasks["rank 0", 1]["uid"], tasks["rank 1", 1]["uid"]
    assert shown(project, first) == (
        {"all.txt": None, "0.in": None},
        {"0.copy", "first.txt", "0.0.out"},
    )
    inputs, outputs = shown(project, second)
    # Of tasks that ran side by side only the earlier is known to have made what the other read.
    assert inputs.pop("first.txt") in (first, result.job["uid"])
    assert (inputs, outputs) == ({"all.txt": None, "1.in": None}, {"1.copy", "1.0.out"})
    # The run itself is what it was without its ranks.
    assert result.reads - {"train.py", "torchrun", str(AGENT)} == {"all.txt", "0.in", "1.in"}
    assert result.writes == {"0.copy", "1.copy", "first.txt", "0.0.out", "1.0.out"}


def test_restarts_are_attempts(project: ProjectUnderTest, torchrun: str) -> None:
    fails = "\nsys.exit(os.environ['TORCHELASTIC_RESTART_COUNT'] == '0' and rank == '1')\n"
    project.write("train.py", TRAIN + fails)
    result = project.run(torchrun, "--nproc-per-node=2", "--max-restarts=1", "train.py")
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    tasks = tasks_of(result.job)
    assert {key: task["state"] for key, task in tasks.items()} == {
        ("rank 0", 1): "succeeded",
        ("rank 1", 1): "failed",
        ("rank 0", 2): "succeeded",
        ("rank 1", 2): "succeeded",
    }
    assert "1.1.out" in shown(project, tasks["rank 1", 2]["uid"])[1]
    assert [group["count"] for group in result.job["tasks"]] == [2]


def test_a_rank_that_calls_roar_is_none_of_the_run_s(
    project: ProjectUnderTest, torchrun: str
) -> None:
    outer = {"RANK": "7", "LOCAL_WORLD_SIZE": "8", "TORCHELASTIC_RESTART_COUNT": "4"}
    project.environ |= outer
    result = project.run(torchrun, "--nproc-per-node=2", "train.py")
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    assert result.job["coverage"]["reasons"] == []
    assert set(tasks_of(result.job)) == {("rank 0", 1), ("rank 1", 1)}


def test_a_killed_roar_and_a_killed_rank_lose_nothing(
    project: ProjectUnderTest, torchrun: str
) -> None:
    wait = "\npathlib.Path(f'{rank}.ready').touch()\nwhile True:\n    time.sleep(0.01)\n"
    project.write("train.py", TRAIN + wait)
    driver = project.start(*project.roar_argv, "run", torchrun, "--nproc-per-node=2", "train.py")
    ready = [project.root / f"{rank}.ready" for rank in range(2)]
    wait_for(lambda: all(path.exists() for path in ready))
    kill_group(driver)
    job = project.json("show", "@1")
    tasks = tasks_of(job)
    assert {key: task["state"] for key, task in tasks.items()} == {
        ("rank 0", 1): "interrupted",
        ("rank 1", 1): "interrupted",
    }
    assert shown(project, tasks["rank 1", 1]["uid"])[1] == {"1.copy", "1.0.out", "1.ready"}


def test_ranks_that_were_not_seen_are_counted(project: ProjectUnderTest, torchrun: str) -> None:
    project.write("train.py", TRAIN)
    told = "RANK=0 LOCAL_WORLD_SIZE=2 TORCHELASTIC_RESTART_COUNT=0"
    project.write("torchrun", f"#!/bin/sh\n{told} python train.py\n")
    result = project.run(torchrun)
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    [reason] = result.job["coverage"]["reasons"]
    assert (reason["code"], reason["count"]) == ("tasks", 1)
    assert reason["detail"] == "of 2 tasks of torchrun not told apart: they ended too soon"
    assert set(tasks_of(result.job)) == {("rank 0", 1)}
