"""What tasks on another node did is brought here; nothing that was sent is lost with anybody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from two_nodes import TwoNodes, two_nodes

from roar_core.testing.processes import wait_for
from roar_core.testing.projects import ProjectUnderTest
from roar_ray.agent.records import MAGIC

PATIENCE_S = 300
pytestmark = pytest.mark.needs("root")

BEGIN = """
import os, sys, time
import ray

ray.init()
local = sys.argv[1]

@ray.remote(num_cpus=0, resources={"second": 1}, max_retries=0)
def away(name, lingers=False):
    with open(f"{local}/in") as source, open(f"{local}/{name}", "w") as target:
        target.write(source.read())
    with open(f"shared-{name}", "w") as target:
        target.write(name)
    if lingers:
        time.sleep(1000)
    return name

@ray.remote
def here(names):
    open("here", "w").close()
"""
TO_THE_END = "ray.get(here.remote(ray.get([away.remote(name) for name in 'ab'])))"
# Goes on when all that the lingering task did has been sent: to the cluster's store, or from there
# to the run's folder already. A journal is read from its first page on.
LINGERS = f"""
import glob, zlib
from ray._private.worker import global_worker

def is_sent():
    client, sent = global_worker.gcs_client, dict()
    for path in glob.glob(".roar/runs/*/backend-ray/nodes/*/*.jnl"):
        with open(path, "rb") as journal:
            sent["/".join(path.split("/")[-2:])] = journal.read()
    for key in client.internal_kv_keys(b"roar/", b"roar"):
        journal = "/".join(key.decode().split("/")[2:4]) + ".jnl"
        piece = client.internal_kv_get(key, b"roar")
        sent[journal] = sent.get(journal, b"") + (zlib.decompress(piece) if piece else b"")
    return any({MAGIC!r} in each and b"shared-b" in each for each in sent.values())

ray.get(away.remote("a"))
lingering = away.remote("b", lingers=True)
while not is_sent():
    time.sleep(0.01)
open("begun", "w").close()
try:
    ray.get(lingering)
except ray.exceptions.RayError as error:
    print(type(error).__name__)
"""


@pytest.fixture
def nodes(project: ProjectUnderTest, ray_python: str) -> Iterator[TwoNodes]:
    with two_nodes(ray_python, project.root) as running:
        project.environ |= {**running.environ, "RAY_ADDRESS": running.address}
        yield running


@pytest.fixture
def start(project: ProjectUnderTest) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `roar run` in the project."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*command: str) -> subprocess.Popen[str]:
        argv = (*project.roar_argv, "run", *command)
        environ = project.environment()
        started.append(
            subprocess.Popen(
                argv,
                cwd=project.root,
                env=environ,
                stdin=subprocess.DEVNULL,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start_one
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def touched(project: ProjectUnderTest, name: str) -> dict[str, tuple[str, set[str], set[str]]]:
    """Of the tasks of that name: their state, and what they read and wrote, by their output."""
    found = {}
    job = project.json("show", "@1")
    for group in job["tasks"]:
        for each in group["jobs"] if group["name"] == name else ():
            task = project.json("show", each["uid"])
            reads, writes = (
                {os.path.basename(edge["path"]) for edge in task[side]}
                for side in ("inputs", "outputs")
            )
            found[max(writes, default="")] = (task["state"], reads, writes)
    return found


EXPECTED = {
    "shared-a": ("succeeded", {"in"}, {"a", "shared-a"}),
    "shared-b": ("succeeded", {"in"}, {"b", "shared-b"}),
}
CUT_SHORT = EXPECTED | {"shared-b": ("interrupted", {"in"}, {"b", "shared-b"})}


def test_what_another_node_did_is_brought_here(
    project: ProjectUnderTest, nodes: TwoNodes, ray_python: str
) -> None:
    project.write("script.py", BEGIN + TO_THE_END)
    result = project.run(ray_python, "script.py", str(nodes.local))
    assert result.exit_code == 0, result.stderr
    assert ".roar" not in result.stdout + result.stderr, "Ray says nothing of what we added"
    assert result.job is not None
    assert result.job["coverage"]["reasons"] == []
    assert touched(project, "away") == EXPECTED
    assert touched(project, "here") == {"here": ("succeeded", set(), {"here"})}
    # By the library, which was carried there.
    [group] = [each for each in result.job["tasks"] if each["name"] == "away"]
    tasks = [project.json("show", each["uid"]) for each in group["jobs"]]
    assert {task["tracer"] for task in tasks} == {"preload"}
    # Shared storage is this machine's too; the node's own disk is not.
    outputs = [edge for task in tasks for edge in task["outputs"]]
    edges = {edge["relative"] or edge["path"]: edge for edge in outputs}
    assert edges["shared-a"]["hash"]
    own = [path for path in edges if path.startswith("file://")]
    assert sorted(own) == [f"file://{tasks[0]['task']['where']}{nodes.local}/{n}" for n in "ab"]
    assert not list((project.root / ".roar" / "runs").glob("*"))
    assert not list(nodes.temporary.glob("roar-ray-*")), "the node keeps nothing of ours"

    # A node on which no journal can be made says so.
    (nodes.temporary / f"roar-ray-{os.getuid()}").touch()
    blind = project.run(ray_python, "script.py", str(nodes.local))
    assert blind.exit_code == 0, blind.stderr
    assert blind.job is not None
    details = " ".join(each["detail"] for each in blind.job["coverage"]["reasons"])
    assert "unobserved: workers of Ray were not observed: PermissionError" in details
    assert "tasks of ray not reported" in details


@pytest.mark.long("a node that dies")
@pytest.mark.parametrize("end", [TwoNodes.kill_second, TwoNodes.stop_second])
def test_a_node_that_is_killed_loses_nothing_that_was_sent(
    project: ProjectUnderTest, nodes: TwoNodes, ray_python: str, start: Any, end: Any
) -> None:
    project.write("script.py", BEGIN + LINGERS)
    driver = start(ray_python, "script.py", str(nodes.local))
    wait_for(lambda: (project.root / "begun").exists() or driver.poll() is not None, PATIENCE_S)
    end(nodes)
    said, _ = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, said
    assert touched(project, "away") == CUT_SHORT
    [reason] = project.json("show", "@1")["coverage"]["reasons"]
    # Whether Ray has noticed yet, or the node just keeps silent.
    assert "nodes of Ray" in reason["detail"], said


def test_a_driver_that_is_killed_loses_nothing_that_was_sent(
    project: ProjectUnderTest, nodes: TwoNodes, ray_python: str, start: Any
) -> None:
    project.write("script.py", BEGIN + LINGERS)
    run = start(ray_python, "script.py", str(nodes.local))
    wait_for(lambda: (project.root / "begun").exists() or run.poll() is not None, PATIENCE_S)
    [told] = (project.root / ".roar" / "runs").glob("*/backend-ray/drivers/*.json")
    # roar first, then the driver: nobody of ours is left.
    run.kill()
    run.wait()
    os.kill(json.loads(told.read_text())["pid"], signal.SIGKILL)
    wait_for(lambda: project.json("show", "@1")["state"] != "running", PATIENCE_S)
    for _ in range(2):
        collected = project.roar("collect")
        assert collected.exit_code == 0, collected.stderr
        assert touched(project, "away") == CUT_SHORT
    reasons = [each["detail"] for each in project.json("show", "@1")["coverage"]["reasons"]]
    assert any("was killed" in each for each in reasons)
    assert not list((project.root / ".roar" / "runs").glob("*"))
