"""Tasks on a node with which the driver shares a network, and nothing else."""

from __future__ import annotations

import subprocess

import pytest
from nodes_apart import nodes_apart

from roar_core.testing.projects import ProjectUnderTest

pytestmark = [pytest.mark.long("nodes on two networks"), pytest.mark.needs("root", "ip")]

SCRIPT = """
import os
import ray

ray.init()
project = os.getcwd()

@ray.remote(num_cpus=0, resources={"second": 1})
def away(name):
    with open("/tmp/in") as source, open(f"/tmp/{name}", "w") as target:
        target.write(source.read())
    return os.path.exists(project)

@ray.remote(num_cpus=0, resources={"second": 1})
def killed(name):
    open(f"/tmp/{name}", "w").write(name)
    os._exit(1)

found = ray.get([away.remote(name) for name in "ab"])
try:
    ray.get(killed.options(max_retries=0).remote("c"))
except ray.exceptions.RayError as error:
    print(type(error).__name__)
print(found)
open("here", "w").write("x")
"""


def test_what_a_node_apart_did_is_brought_here(project: ProjectUnderTest, ray_python: str) -> None:
    project.write("script.py", SCRIPT)
    with nodes_apart(ray_python, project.root) as nodes:
        done = subprocess.run(
            (*nodes.enter, *project.roar_argv, "run", ray_python, "script.py"),
            cwd=project.root,
            env=project.environment(nodes.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        left = nodes.at_second("sh", "-c", "ls -d /tmp/roar-ray-* 2>/dev/null; ls /tmp")
    assert done.returncode == 0, done.stderr
    assert {"WorkerCrashedError", "[False, False]"} <= {*done.stdout.splitlines()}
    job = project.json("show", "@1")
    assert [edge["relative"] for edge in job["outputs"]] == ["here"]
    tasks = {
        group["name"]: [project.json("show", each["uid"]) for each in group["jobs"]]
        for group in job["tasks"]
    }
    assert [task["state"] for task in tasks["away"]] == ["succeeded"] * 2
    assert [task["state"] for task in tasks["killed"]] == ["interrupted"]
    for task in (*tasks["away"], *tasks["killed"]):
        assert task["tracer"] == "preload", "the library was carried there"
        where = task["task"]["where"]
        [written] = task["outputs"]
        assert written["path"] in {f"file://{where}/tmp/{name}" for name in "abc"}
        assert {edge["path"] for edge in task["inputs"]} <= {f"file://{where}/tmp/in"}
    assert job["coverage"]["reasons"] == []
    # A checkout below /tmp is bound there, too.
    assert {"a", "b", "c", "in"} <= {*left.split()}, "its files are its own"
    assert "roar-ray" not in left, "the node keeps nothing of ours"
    assert not list((project.root / ".roar" / "runs").glob("*"))
