"""`roar run ray job submit`, with a real cluster: the tasks of a driver that roar never started."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from two_nodes import TwoNodes, two_nodes

from roar_core.testing.projects import ProjectUnderTest

pytestmark = [pytest.mark.long("submitted jobs"), pytest.mark.needs("root")]

JOB = """
import os, sys
import ray

@ray.remote(num_cpus=0, resources={"second": 1})
def away(where):
    with open("data.txt") as source, open(os.path.join(where, "away.txt"), "w") as target:
        target.write(source.read() + os.environ["A"])
    return os.environ["ROAR_NO_TELEMETRY"]

with open("data.txt") as source:
    text = source.read()
print(ray.get(away.remote(sys.argv[1])), sys.argv[2:])
os.system(f"echo {text} > {sys.argv[1]}/child.txt")
with open(f"{sys.argv[1]}/driver.txt", "w") as target:
    target.write(text)
"""


@pytest.fixture(scope="module")
def nodes(ray_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    """One cluster for all; ready when a job goes through, which is later than Ray says so."""
    place = tmp_path_factory.mktemp("cluster")
    (place / ".roar").mkdir()
    ray = str(Path(ray_python).parent / "ray")
    with two_nodes(ray_python, place, dashboard=True) as running:
        argv = (ray, "job", "submit", "--address", running.dashboard, "--", "true")
        deadline = time.monotonic() + 300
        while subprocess.run(
            argv, env={**os.environ, **running.environ}, check=False, capture_output=True
        ).returncode:
            assert time.monotonic() < deadline, "no job goes through"
        yield running


@pytest.fixture(autouse=True)
def submitting(project: ProjectUnderTest, nodes: TwoNodes, ray_python: str) -> None:
    """A project from which jobs are submitted, with a client of the cluster's version."""
    project.environ |= {
        **nodes.environ,
        "RAY_API_SERVER_ADDRESS": nodes.dashboard,
        "PATH": f"{Path(ray_python).parent}:/usr/bin:/bin",
    }
    project.write("job/job.py", JOB)
    project.write("job/data.txt", "data")
    project.write("env.yaml", f"working_dir: {project.root}/job\nenv_vars: {{A: '1'}}\n")


def away_of(job: Any) -> list[Any]:
    return [each for g in job["tasks"] if g["name"] == "away" for each in g["jobs"]]


def expect_away(project: ProjectUnderTest, job: Any) -> None:
    [task] = away_of(job)
    assert task["state"] == "succeeded"
    [written] = project.json("show", task["uid"])["outputs"]
    assert written["relative"] == "away.txt"
    assert written["hash"]


def expect_driver(project: ProjectUnderTest, job: Any) -> None:
    """The driver, of which only its own reports tell: neither it nor its shell is roar's child."""
    [driver] = [each for g in job["tasks"] if g["name"] == "driver" for each in g["jobs"]]
    assert driver["state"] == "succeeded"
    shown = project.json("show", driver["uid"])
    assert shown["command"][1:3] == ["job.py", str(project.root)]
    assert {edge["relative"] for edge in shown["outputs"]} == {"child.txt", "driver.txt"}
    # And the token, which lies where this test has it.
    assert {os.path.basename(edge["path"]) for edge in shown["inputs"]} >= {"data.txt", "job.py"}
    assert [each["job"] for each in shown["needs"]] == [away_of(job)[0]["uid"]]


JSON = '{"working_dir": "job", "env_vars": {"A": "1"}}'
VARIABLES = '{"env_vars": {"A": "1"}}'


@pytest.mark.parametrize(
    "options",
    [
        ("--runtime-env", "env.yaml"),
        ("--runtime-env-json", JSON),
        (f"--runtime-env-json={VARIABLES}", "--working-dir", "job"),
    ],
)
def test_a_submitted_job_is_recorded_by_its_tasks(
    project: ProjectUnderTest, options: tuple[str, ...]
) -> None:
    where = str(project.root)
    result = project.run(
        "ray", "job", "submit", *options, "--", "python", "job.py", where, "--lr=3"
    )
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "1 ['--lr=3']" in result.stdout
    assert ".roar" not in result.stdout + result.stderr
    assert result.job is not None
    assert result.job["coverage"]["reasons"] == []
    expect_away(project, result.job)
    expect_driver(project, result.job)


def test_a_job_that_is_not_waited_for_is_collected_later(
    project: ProjectUnderTest,
) -> None:
    words = ("--no-wait", "--runtime-env", "env.yaml", "--", "python", "job.py", str(project.root))
    result = project.run("ray", "job", "submit", *words)
    assert result.exit_code == 0, result.stderr
    deadline = time.monotonic() + 300
    while list((project.root / ".roar" / "runs").glob("*")):
        assert time.monotonic() < deadline, "it was never complete"
        assert project.roar("collect").exit_code == 0
    expect_away(project, project.json("show", "@1"))
    expect_driver(project, project.json("show", "@1"))
