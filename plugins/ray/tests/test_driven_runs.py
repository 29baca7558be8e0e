"""`roar run` of a driver: each attempt at each task is recorded, with what it read and wrote."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from typing import Any

import blake3
import pytest

from roar_core.testing.projects import ProjectUnderTest, Result

PLAIN = """
import json, os, sys, threading
import ray

{init}

def put_by_a_thread(value):
    box = []
    thread = threading.Thread(target=lambda: box.append(ray.put(value)))
    thread.start()
    thread.join()
    return box

@ray.remote
def square(n):
    with open(f"in{n}.txt") as source:
        value = int(source.read()) ** 2
    with open(f"out{n}.txt", "w") as target:
        target.write(str(value))
    return value

@ray.remote
def boxed(n):
    return put_by_a_thread(n)

@ray.remote
def total(values):
    return sum(ray.get(values))

@ray.remote
class Counter:
    def add(self, n):
        with open("counted.txt", "a") as target:
            target.write(str(n))
        return os.environ.get("ROAR_NO_TELEMETRY")

counter = Counter.remote()
ray.get(counter.__ray_ready__.remote())
boxes = put_by_a_thread(0) + ray.get(boxed.remote(0))
found = ray.get([total.remote([square.remote(n) for n in range(2)] + boxes), counter.add.remote(3)])
with open("total.txt", "w") as target:
    json.dump(found, target)
seen = {name: text for name, text in os.environ.items() if "RAY" in name and "ROAR" in name}
print(json.dumps([found, seen, [each for each in sys.path if ".roar" in each]]))
"""

SWITCHED_OFF = """
import ray

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)

@ray.remote
def write():
    open("out", "w").write("x")

ray.get(write.remote())
"""


ENVIRONMENTS = """
import os, sys
import ray
from ray.job_config import JobConfig

def write(name):
    with open("in0.txt") as source, open(name + ".txt", "w") as target:
        target.write(source.read())

@ray.remote
def plain():
    write("plain")

@ray.remote
def other():
    import mine
    assert "libm.so.6" in os.environ["LD_PRELOAD"]
    write("other")
    return mine.NAME

@ray.remote
def of_job():
    write("of_job")
    return os.environ["OF_JOB"]

def of_tasks():
    env = {"PYTHONPATH": os.path.abspath("mine"), "LD_PRELOAD": "libm.so.6"}
    ray.init(include_dashboard=False)
    print(ray.get([plain.remote(), other.options(runtime_env={"env_vars": env}).remote()]))
    ray.shutdown()

def of_a_job():
    config = JobConfig(runtime_env={"env_vars": {"OF_JOB": "job"}})
    ray.init(include_dashboard=False, job_config=config)
    print(ray.get(of_job.remote()))

for name in sys.argv[1:]:
    globals()[name]()
"""

OUTER = """
import subprocess, sys
import ray

ray.init(include_dashboard=False, num_cpus=1)

@ray.remote
def outside():
    return subprocess.check_output([sys.executable, "inner.py"], text=True)

print(ray.get(outside.remote()), end="")
"""

INNER = """
import ray

ray.init("local", include_dashboard=False, num_cpus=1)

@ray.remote
def inside():
    with open("in0.txt") as source, open("inside.txt", "w") as target:
        target.write(source.read())
    return "deep inside"

print(ray.get(inside.remote()))
"""

DYING = """
import os, signal, time
import ray

ray.init(include_dashboard=False, num_cpus=1)

@ray.remote
def slow():
    for number in range(1_000):
        with open("slow.txt", "a") as target:
            target.write(f"{number}\\n")
        time.sleep(0.05)

slow.remote()
while not os.path.exists("slow.txt"):
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""

HOST = """
import os, time
import ray

context = ray.init(include_dashboard=False, num_cpus=2)

@ray.remote
def own():
    with open("own.txt", "w") as target:
        target.write("own")

ray.get(own.remote())
with open("new", "w") as target:
    target.write(context.address_info["gcs_address"])
os.rename("new", "address")
while not os.path.exists("go"):
    time.sleep(0.05)
"""

GUEST = """
import sys
import ray

ray.init(sys.argv[1])

@ray.remote
def visiting(where):
    with open(where + "/in0.txt") as source, open(where + "/guest.txt", "w") as target:
        target.write(source.read())

ray.get(visiting.remote(sys.argv[2]))
"""


@pytest.fixture
def driven(project: ProjectUnderTest) -> ProjectUnderTest:
    """A project whose Ray keeps to itself, and knows no token of the developer's."""
    project.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "180"}
    for number in range(2):
        project.write(f"in{number}.txt", str(number + 2))
    return project


def tasks_of(job: Any) -> dict[str, list[Any]]:
    """The user's own, by what they are instances of."""
    return {each["name"]: each["jobs"] for each in job["tasks"] if each["name"] != "worker"}


def shown(project: ProjectUnderTest, task: Any) -> tuple[list[str], list[str]]:
    """What a task read and wrote, each with the first digits of its hash."""
    job = project.json("show", task["uid"])
    return tuple(  # type: ignore[return-value]
        sorted(edge["relative"] for edge in job[side] if edge["hash"])
        for side in ("inputs", "outputs")
    )


def expect_plain(project: ProjectUnderTest, result: Result) -> None:
    """All that a run of PLAIN is to have recorded."""
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == [[13, "1"], {}, []]
    job = result.job
    assert job is not None
    assert job["coverage"]["state"] == "complete", job["coverage"]
    assert result.reads == {"script.py"}
    assert result.writes == {"total.txt"}
    tasks = tasks_of(job)
    assert {name: len(jobs) for name, jobs in tasks.items()} == {
        "square": 2, "boxed": 1, "total": 1, "Counter.__init__": 1, "Counter.add": 1,
    }  # fmt: skip
    assert all(each["state"] == "succeeded" for jobs in tasks.values() for each in jobs)
    assert sorted(shown(project, each) for each in tasks["square"]) == [
        (["in0.txt"], ["out0.txt"]),
        (["in1.txt"], ["out1.txt"]),
    ]
    assert shown(project, tasks["total"][0]) == ([], [])
    assert shown(project, tasks["Counter.add"][0]) == ([], ["counted.txt"])
    squares = {each["uid"] for each in tasks["square"]}
    total = project.json("show", tasks["total"][0]["uid"])
    [boxed] = (each["uid"] for each in tasks["boxed"])
    assert {each["job"] for each in total["needs"]} == squares | {boxed}
    fetched = {tasks["total"][0]["uid"], tasks["Counter.add"][0]["uid"], boxed}
    assert {each["job"] for each in job["needs"]} == fetched
    assert not list((project.root / ".roar" / "runs").glob("*"))


@pytest.mark.parametrize("init", ["ray.init(include_dashboard=False)", ""])
def test_a_driver_that_starts_a_cluster(
    driven: ProjectUnderTest, ray_python: str, init: str
) -> None:
    driven.write("script.py", PLAIN.replace("{init}", init))
    expect_plain(driven, driven.run(ray_python, "script.py"))


def test_whatever_environment_a_task_or_the_job_has(
    driven: ProjectUnderTest, ray_python: str
) -> None:
    """Workers of the run's own clusters have the agent and the library all the same.

    Both programs' first tasks have the same id.
    """
    driven.write("mine/mine.py", "NAME = 'mine'\n")
    driven.write("script.py", ENVIRONMENTS)
    programs = f"{ray_python} script.py of_tasks && {ray_python} script.py of_a_job"
    result = driven.run("sh", "-c", programs)
    assert (result.exit_code, result.stdout) == (0, "[None, 'mine']\njob\n"), result.stderr
    job = result.job
    assert job is not None
    assert job["coverage"] == {"state": "complete", "reasons": []}
    assert set(tasks_of(job)) == {"plain", "other", "of_job"}
    for name, [task] in tasks_of(job).items():
        assert task["tracer"] == "preload", name
        reads = ["in0.txt", "mine/mine.py"] if name == "other" else ["in0.txt"]
        assert shown(driven, task) == (reads, [f"{name}.txt"])


@pytest.mark.parametrize("tracer", ["ptrace", "ebpf"])
@pytest.mark.long("runs of Ray under every tracer")
@pytest.mark.needs("root")
def test_tasks_are_told_apart_whichever_tracer_sees_the_command(
    driven: ProjectUnderTest, ray_python: str, tracer: str
) -> None:
    driven.write("script.py", ENVIRONMENTS)
    driven.write("mine/mine.py", "NAME = 'mine'\n")
    driven.write("roar.toml", f"[run]\ntracer = '{tracer}'\n")
    result = driven.run(ray_python, "script.py", "of_tasks", "of_a_job")
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    assert result.job["tracer"] == tracer
    assert result.job["coverage"] == {"state": "complete", "reasons": []}
    tasks = tasks_of(result.job)
    assert set(tasks) == {"plain", "other", "of_job"}
    assert {task["tracer"] for [task] in tasks.values()} == {"preload"}


@pytest.mark.long("drivers that are killed")
def test_what_a_worker_does_until_it_notices_that_its_driver_was_killed(
    driven: ProjectUnderTest, ray_python: str
) -> None:
    driven.write("script.py", DYING)
    result = driven.run(ray_python, "script.py")
    assert result.exit_code == -signal.SIGKILL
    assert result.job is not None
    [task] = tasks_of(result.job)["slow"]
    assert task["state"] == "interrupted"
    [written] = driven.json("show", task["uid"])["outputs"]
    now = blake3.blake3((driven.root / "slow.txt").read_bytes()).hexdigest()
    assert written["hash"] == f"blake3:{now}"


@pytest.mark.long("clusters within clusters")
def test_a_cluster_that_a_task_makes_is_one_of_its_own(
    driven: ProjectUnderTest, ray_python: str
) -> None:
    driven.write("inner.py", INNER)
    driven.write("script.py", OUTER)
    result = driven.run(ray_python, "script.py")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "deep inside"
    assert result.job is not None
    assert result.job["coverage"]["state"] == "complete"
    tasks = tasks_of(result.job)
    assert shown(driven, tasks["inside"][0]) == (["in0.txt"], ["inside.txt"])
    assert shown(driven, tasks["outside"][0]) == (["inner.py"], [])


@pytest.mark.long("drivers from elsewhere")
def test_the_tasks_of_whoever_else_comes_to_the_cluster_are_not_the_runs(
    driven: ProjectUnderTest, ray_python: str
) -> None:
    driven.write("script.py", HOST)
    guest = driven.write("guest.py", GUEST)
    came: list[subprocess.CompletedProcess[str]] = []

    def come() -> None:
        while not (driven.root / "address").exists():
            time.sleep(0.05)
        argv = [ray_python, str(guest), driven.read("address"), str(driven.root)]
        environ = driven.environment({"RAY_AUTH_MODE": "token"})
        came.append(subprocess.run(argv, env=environ, capture_output=True, text=True, check=False))
        driven.write("go", "")

    guests = threading.Thread(target=come)
    guests.start()
    result = driven.run(ray_python, "script.py")
    guests.join()
    assert [each.returncode for each in came] == [0], came
    assert driven.read("guest.txt") == "2"
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    assert result.job["coverage"]["state"] == "complete"
    assert set(tasks_of(result.job)) == {"own"}


def test_a_driver_without_ray_is_left_alone(project: ProjectUnderTest) -> None:
    project.write(
        "script.py", "import importlib.util, sys\nprint(importlib.util.find_spec('ray'))\n"
    )
    result = project.run("python", "-S", "script.py")
    assert (result.exit_code, result.stdout) == (0, "None\n"), result.stderr
    assert result.job is not None
    assert result.job["coverage"]["state"] == "complete"
    assert result.job["tasks"] == []


def test_switched_off(driven: ProjectUnderTest, ray_python: str) -> None:
    driven.write("roar.toml", "[ray]\nenabled = false\n")
    result = driven.run("python", "-c", "import os; print(os.environ.get('PYTHONPATH', ''))")
    assert "runs" not in result.stdout
    driven.write("script.py", SWITCHED_OFF)
    result = driven.run(ray_python, "script.py")
    assert result.job is not None
    assert [edge["relative"] for edge in result.job["outputs"]] == ["out"]
    assert result.job["tasks"] == []
