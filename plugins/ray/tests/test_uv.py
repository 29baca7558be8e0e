"""What Ray does with `uv run` and with uvloop, where it finds them, goes on under roar."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_cluster import cluster
from test_attribution import steps_by_attempt

from roar_core.testing.projects import ProjectUnderTest

pytestmark = [pytest.mark.ray_libraries, pytest.mark.needs("cc")]

SCRIPT = """
import os
import ray

ray.init(include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"A": "1"}})
here = os.getcwd()

@ray.remote
def write(n):
    open(f"{here}/out{n}", "w").write(str(n))
    return os.environ["A"]

found = ray.get([write.remote(n) for n in range(2)])
print(found, ray.get_runtime_context().runtime_env["py_executable"])
"""


def test_workers_are_started_by_uv_run_and_observed(
    project: ProjectUnderTest, ray_libraries_python: str
) -> None:
    programs = Path(ray_libraries_python).parent
    project.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "180"}
    project.environ["PATH"] = f"{programs}:/usr/bin:/bin"
    project.write("train.py", SCRIPT)
    command = ("uv", "run", "--no-project", "--offline", "--python", ray_libraries_python, "python")
    result = project.run(*command, "train.py")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"['1', '1'] {' '.join(command)}\n"
    assert result.job is not None
    tasks = [each for g in result.job["tasks"] if g["name"] == "write" for each in g["jobs"]]
    written = [project.json("show", each["uid"])["outputs"] for each in tasks]
    assert sorted(edge["relative"] for edges in written for edge in edges) == ["out0", "out1"]


@pytest.mark.parametrize("capture", ["native", "python"])
def test_tasks_of_a_loop_of_uvloop_are_told_apart(
    ray_libraries_python: str, tmp_path: Path, capture: str
) -> None:
    with cluster(ray_libraries_python) as running:
        told = running.drive(tmp_path, "workload.py", tmp_path, capture=capture)
    calls = {
        key[2]: sides for key, sides in steps_by_attempt(told).items() if key[0] == "Async.work"
    }
    assert calls == {call: ({"begin", "executor"}, {"child", "end"}) for call in range(4)}
