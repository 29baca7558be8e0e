"""Whatever is killed, and by whom: the record says which attempts it took along, and what they did.

The user gets what there is without roar. Commands are run as users run them, each with a cluster of
its own, whose memory may be used up to a few gigabytes more than there are in use.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from roar_core.testing.processes import wait_for
from roar_core.testing.projects import ProjectUnderTest

pytestmark = pytest.mark.long("tasks and drivers that are killed")

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S = 300
# What a task may take until Ray's monitor kills it.
_ROOM_KIB = 2_500_000
_MEMORY = ("MemTotal", "MemAvailable")

# The file that an attempt wrote -> its function, its number, and how it ended.
_LAST = {
    "exit": "interrupted",
    "sys.exit": "failed",
    "segfault": "interrupted",
    "abort": "interrupted",
    "kill": "interrupted",
    "term": "interrupted",
}
EXPECTED = {
    **{f"again-{how}.1": ("dies", 1, state) for how, state in _LAST.items()},
    **{f"again-{how}.2": ("dies", 2, "succeeded") for how in _LAST},
    **{f"once-{how}.1": ("dies_once", 1, state) for how, state in _LAST.items()},
    "memory.1": ("takes_all", 1, "interrupted"),
    "memory.2": ("takes_all", 2, "succeeded"),
    "no-memory.1": ("takes_all", 1, "interrupted"),
    "forced.1": ("endless", 1, "interrupted"),
    "gone-born.1": ("Phoenix.__init__", 1, "succeeded"),
    "gone-works.1": ("Phoenix.works", 1, "interrupted"),
    "back-born.1": ("Phoenix.__init__", 1, "succeeded"),
    "back-works.1": ("Phoenix.works", 1, "interrupted"),
    "back-born.2": ("Phoenix.__init__", 2, "succeeded"),
    "back-works.2": ("Phoenix.works", 2, "succeeded"),
    "back-fine.1": ("Phoenix.fine", 1, "succeeded"),
    "phoenix-born.1": ("Phoenix.__init__", 1, "succeeded"),
    "phoenix-dies.1": ("Phoenix.dies", 1, "interrupted"),
    "phoenix-born.2": ("Phoenix.__init__", 2, "succeeded"),
    "phoenix-dies.2": ("Phoenix.dies", 2, "succeeded"),
    "phoenix-fine.1": ("Phoenix.fine", 1, "succeeded"),
    "unborn.1": ("Unborn.__init__", 1, "interrupted"),
    "cpu.1": ("limited", 1, "interrupted"),
    "size.1": ("limited", 1, "failed"),
    "size.more": ("limited", 1, "failed"),
    "files.1": ("limited", 1, "failed"),
}


def memory_limits() -> dict[str, str]:
    """Ray's own settings, by which its monitor kills who takes more than there is room for now."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    kib = {words[0].rstrip(":"): int(words[1]) for words in lines}
    total, free = (kib[name] for name in _MEMORY)
    if free < 2 * _ROOM_KIB:
        pytest.fail("too little memory is free to tell a task that takes more than others")
    share = (total - free + _ROOM_KIB) / total
    return {"RAY_memory_usage_threshold": f"{share:.4f}", "RAY_memory_monitor_refresh_ms": "50"}


@pytest.fixture(autouse=True)
def own_cluster(project: ProjectUnderTest) -> None:
    project.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "180"}
    for name in ("bare", "ours"):
        project.write(f"{name}/in", "data")


def bare(project: ProjectUnderTest, environ: Mapping[str, str], *argv: str) -> tuple[int, str]:
    """Exit code and standard output of a command without roar."""
    done = subprocess.run(
        argv,
        cwd=project.root,
        env=project.environment(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def recorded(project: ProjectUnderTest, job: Any) -> dict[str, tuple[str, int, str]]:
    """By each file that an attempt wrote: its function, its number, and how it ended.

    Each has read the input, and nobody else has written the file.
    """
    found: dict[str, tuple[str, int, str]] = {}
    for group in job["tasks"]:
        if group["name"] == "worker":
            continue
        for each in group["jobs"]:
            task = project.json("show", each["uid"])
            assert {edge["relative"] for edge in task["inputs"]} == {"ours/in"}, each
            for edge in task["outputs"]:
                name = edge["relative"].removeprefix("ours/")
                assert name not in found
                assert edge["hash"] or name == "size.more"
                found[name] = (group["name"], task["task"]["attempt"], task["state"])
    return found


def test_each_attempt_that_was_killed_is_one_of_its_own(
    project: ProjectUnderTest, ray_python: str
) -> None:
    program = str(PROGRAMS / "kills.py")
    code, printed = bare(project, memory_limits(), ray_python, program, "bare")
    argv = (*project.roar_argv, "run", "--quiet", ray_python, program, "ours")
    ours, told = bare(project, memory_limits(), *argv)
    # Above it Ray tells, with numbers of processes, of those that died.
    got = json.loads(printed.splitlines()[-1])
    assert (ours, json.loads(told.splitlines()[-1])) == (code, got)
    assert code == 0
    assert (got["memory"], got["no-memory"]) == (2, "OutOfMemoryError")
    job = project.json("show", "@1")
    assert recorded(project, job) == EXPECTED
    assert sorted(EXPECTED) == sorted({*os.listdir(project.root / "ours")} - {"in"})
    assert job["coverage"]["reasons"] == []


LEFT = """
import os, sys, time
import ray

folder = sys.argv[1]
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)

@ray.remote
def works(name, lingers=False):
    with open(f"{folder}/in") as source, open(f"{folder}/{name}", "w") as target:
        target.write(source.read())
    while lingers:
        time.sleep(0.05)

ray.get(works.remote("done"))
under_way = works.remote("under-way", lingers=True)
while not os.path.exists(f"{folder}/under-way"):
    time.sleep(0.05)
with open(f"{folder}/driver", "w") as file:
    file.write(str(os.getpid()))
ray.get(under_way)
"""
WRITTEN = {"done": ("works", 1, "succeeded"), "under-way": ("works", 1, "interrupted")}


def ended_by(
    project: ProjectUnderTest, number: int, where: str, argv: tuple[str, ...]
) -> tuple[int, str]:
    """Exit code and output of a command whose driver gets a signal while a task is under way."""
    told = project.root / where / "driver"
    with subprocess.Popen(
        argv,
        cwd=project.root,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(lambda: (told.exists() and told.read_text()) or process.poll(), PATIENCE_S)
        os.kill(int(told.read_text()), number)
        printed, _ = process.communicate()
    return process.returncode, printed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_driver_that_is_killed_leaves_what_was_done(
    project: ProjectUnderTest, ray_python: str, number: int
) -> None:
    project.write("script.py", LEFT)
    code, printed = ended_by(project, number, "bare", (ray_python, "script.py", "bare"))
    argv = (*project.roar_argv, "run", "--quiet", ray_python, "script.py", "ours")
    ours, told = ended_by(project, number, "ours", argv)
    assert told == printed
    if number == signal.SIGTERM:
        # Ray's own end is one of two, by chance: what its handler raises, or an abort within that.
        assert {code, ours} <= {1, -signal.SIGABRT}
    else:
        assert ours == code
    job = project.json("show", "@1")
    assert recorded(project, job) == WRITTEN
    assert {edge["relative"] for edge in job["outputs"]} == {"ours/driver"}
    reasons = [each["detail"] for each in job["coverage"]["reasons"]]
    killed = ["a driver of Ray was killed or left by os._exit, and its cluster with it"]
    assert [each for each in reasons if "driver" in each] == (
        [f"driver: {killed[0]}"] if number == signal.SIGKILL else []
    )
