"""Programs that reach a cluster by Ray Client, from beside it and from a machine of its own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nodes_apart import head_apart
from ray_servers import PATIENT_WITH_CLIENTS, free_port, started, wait_for_client, without_ours

from roar_core.testing.projects import ProjectUnderTest

pytestmark = pytest.mark.long("Ray Client")

SCRIPT = """
import os, sys
import ray

ray.init(sys.argv[1], runtime_env={"env_vars": {"A": "1"}})
here = os.getcwd()

@ray.remote
def square(n):
    with open(f"{here}/in{n}") as source, open(f"{here}/out{n}", "w") as target:
        target.write(str(int(source.read()) ** 2))
    return n

@ray.remote
def total(values):
    return sum(ray.get(values)), os.environ["A"]

@ray.remote
class Counter:
    def add(self, n):
        open(f"{here}/counted", "w").write(str(n))
        return n

counter = Counter.remote()
values = [square.remote(n) for n in range(2)]
print(ray.get([total.remote(values), counter.add.remote(3), ray.put(4)]))
open("end", "w").write("x")
"""


@pytest.fixture
def address(ray_python: str) -> Iterator[str]:
    """A head of a cluster for clients, that knows nothing of the project."""
    ray, port = str(Path(ray_python).parent / "ray"), free_port()
    environ = {**without_ours(), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    environ |= PATIENT_WITH_CLIENTS
    options = ("--head", "--block", "--num-cpus=2", "--include-dashboard=false")
    ports = (f"--port={free_port()}", f"--ray-client-server-port={port}")
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        where = (f"--temp-dir={folder}/t",)
        log = Path(folder) / "log"
        with started((ray, "start", *options, *ports, *where), environ, log, Path(folder)):
            found = f"ray://127.0.0.1:{port}"
            wait_for_client(ray_python, found, environ)
            yield found


def groups(job: Any) -> dict[str, list[Any]]:
    return {each["name"]: each["jobs"] for each in job["tasks"] if each["name"] != "worker"}


def test_tasks_of_a_client_are_recorded(
    project: ProjectUnderTest, ray_python: str, address: str
) -> None:
    project.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "0"}
    project.write("script.py", SCRIPT)
    for n in range(2):
        project.write(f"in{n}", str(n + 2))
    bare = subprocess.run(
        (ray_python, "script.py", address),
        cwd=project.root, env=project.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bare.returncode == 0, bare.stderr
    result = project.run(ray_python, "script.py", address)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == bare.stdout == "[(1, '1'), 3, 4]\n"
    assert ".roar" not in result.stderr
    assert result.job is not None
    assert result.job["coverage"]["reasons"] == []
    assert result.writes == {"end"}
    tasks = groups(result.job)
    assert {name: len(jobs) for name, jobs in tasks.items()} == {
        "square": 2, "total": 1, "Counter.__init__": 1, "Counter.add": 1,
    }  # fmt: skip
    [total] = tasks["total"]
    needs = {each["job"] for each in project.json("show", total["uid"])["needs"]}
    assert needs == {each["uid"] for each in tasks["square"]}
    outputs = [
        {edge["relative"] for edge in project.json("show", each["uid"])["outputs"]}
        for each in (*tasks["square"], *tasks["Counter.add"])
    ]
    assert sorted(map(sorted, outputs)) == [["counted"], ["out0"], ["out1"]]
    fetched = {each["job"] for each in result.job["needs"]}
    assert fetched == {total["uid"], tasks["Counter.add"][0]["uid"]}
    assert not list((project.root / ".roar" / "runs").glob("*"))


APART = """
import os, sys
import ray

ray.init(sys.argv[1])

@ray.remote
def away(name):
    with open("/tmp/in") as source, open(f"/tmp/{name}", "w") as target:
        target.write(source.read())
    return os.path.exists(sys.argv[2])

print(ray.get([away.remote(name) for name in "ab"]))
"""


KILLED = """
import signal, time
ray.get(away.remote("a"))
# Sent once a period.
time.sleep(3)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.needs("root", "ip")
def test_tasks_of_a_client_elsewhere_are_brought_here(
    project: ProjectUnderTest, ray_python: str
) -> None:
    script = APART.replace("sys.argv[2]", repr(str(project.root)))
    project.write("script.py", script)
    killed = APART.split("print")[0] + KILLED
    project.write("killed.py", killed.replace("sys.argv[2]", repr(str(project.root))))
    with head_apart(ray_python) as (enter, address):
        environ = project.environment({"RAY_AUTH_MODE": "disabled"})
        subprocess.run(
            (*enter, *project.roar_argv, "run", ray_python, "killed.py", address),
            cwd=project.root, env=environ, capture_output=True, check=False,
        )  # fmt: skip
        subprocess.run(
            (*enter, *project.roar_argv, "collect"), cwd=project.root, env=environ, check=True
        )
        [cut_short] = [
            each for each in project.json("show", "@1")["tasks"] if each["name"] == "away"
        ]
        assert len(cut_short["jobs"]) == 1, "of a client that was killed, what lies in the store"
        done = subprocess.run(
            (*enter, *project.roar_argv, "run", ray_python, "script.py", address),
            cwd=project.root,
            env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "[False, False]\n"), done.stderr
    job = project.json("show", "@2")
    [group] = [each for each in job["tasks"] if each["name"] == "away"]
    tasks = [project.json("show", each["uid"]) for each in group["jobs"]]
    assert {task["state"] for task in tasks} == {"succeeded"}
    assert {task["tracer"] for task in tasks} == {"preload"}, "the library was carried there"
    written = {edge["path"] for task in tasks for edge in task["outputs"]}
    assert written == {f"file://{tasks[0]['task']['where']}/tmp/{name}" for name in "ab"}
    # Which results passed between tasks, the server alone saw, and it has nowhere to write.
    details = [each["detail"] for each in job["coverage"]["reasons"]]
    assert len(details) == 1
    assert "results between tasks" in details[0]
