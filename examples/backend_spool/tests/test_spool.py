"""Commands that a separate worker runs are recorded as tasks of the job that queued them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import roar_backend_spool

from roar_core.testing.processes import kill_group, wait_for
from roar_core.testing.projects import ProjectUnderTest

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def installed(project: ProjectUnderTest) -> None:
    """The project's commands find the plugin where these tests find it."""
    project.environ["PYTHONPATH"] = str(Path(roar_backend_spool.__file__).parents[1])


@pytest.fixture
def worker(project: ProjectUnderTest) -> subprocess.Popen[bytes]:
    return project.start("python", "-m", "roar_backend_spool", "work")


@pytest.fixture
def spool(project: ProjectUnderTest) -> str:
    """The client, as users call it."""
    path = project.root / "spool"
    path.write_text('#!/bin/sh\nexec python -m roar_backend_spool "$@"\n')
    path.chmod(0o755)
    return "./spool"


def tasks_of(job: Any) -> list[Any]:
    return [task for group in job["tasks"] for task in group["jobs"]]


def shown(project: ProjectUnderTest, uid: str) -> tuple[set[str], set[str]]:
    job = project.json("show", uid)
    return tuple({edge["relative"] for edge in job[side]} for side in ("inputs", "outputs"))  # type: ignore[return-value]


def test_a_submitted_command_is_a_task_with_what_it_really_did(
    project: ProjectUnderTest, worker: Any, spool: str
) -> None:
    project.write("in.txt", "3\n1\n2\n")
    result = project.run(spool, "submit", "--", "sh", "-c", "sort in.txt > out.txt; echo said")
    assert (result.exit_code, result.stdout) == (0, "said\n")
    assert result.job is not None
    assert result.job["coverage"]["reasons"] == []
    assert result.writes == set()
    [task] = tasks_of(result.job)
    assert (task["name"], task["state"], task["exit_code"]) == ("sh", "succeeded", 0)
    assert shown(project, task["uid"]) == ({"in.txt"}, {"out.txt"})
    document = project.json("show", task["uid"])
    assert (document["parent"], document["tracer"]) == (result.job["uid"], "preload")
    # The task's bytes are known by their hash, and to whoever reads them next.
    reader = project.run("cp", "out.txt", "copy.txt")
    assert reader.job is not None
    assert reader.job["inputs"][0]["producer"] == task["uid"]
    [edge] = project.json("dag")["edges"]
    assert (edge["from"], edge["to"]) == ("@1", "@2")


def test_a_run_that_submits_inside_is_adopted(
    project: ProjectUnderTest, worker: Any, spool: str
) -> None:
    project.write("pipeline.sh", 'for n in 1 2; do ./spool submit -- sh -c "echo $n > $n"; done')
    result = project.run("sh", "pipeline.sh")
    assert result.job is not None
    assert [task["state"] for task in tasks_of(result.job)] == ["succeeded"] * 2
    [group] = result.job["tasks"]
    assert (group["name"], group["count"], group["attempts"]) == ("sh", 2, 2)


def test_a_chain_of_tasks_is_tied_together(
    project: ProjectUnderTest, worker: Any, spool: str
) -> None:
    lines = ["./spool submit -- sh -c 'echo 1 > a'", "./spool submit -- cp a b", "cat b"]
    for _ in range(2):  # the second time all the same bytes are there already
        result = project.run("sh", "-c", "\n".join(lines))
        assert result.job is not None
        first, second = tasks_of(result.job)
        [copied] = project.json("show", second["uid"])["inputs"]
        assert copied["producer"] == first["uid"]
        assert {edge["relative"]: edge["producer"] for edge in result.job["inputs"]}["b"] == (
            second["uid"]
        )


def test_a_failing_task_ends_the_client_as_it_ended(
    project: ProjectUnderTest, worker: Any, spool: str
) -> None:
    result = project.run(spool, "submit", "--", "sh", "-c", "echo half > half.txt; exit 3")
    assert result.exit_code == 3
    assert result.job is not None
    [task] = tasks_of(result.job)
    assert (task["state"], task["exit_code"]) == ("failed", 3)
    assert shown(project, task["uid"])[1] == {"half.txt"}
    missing = project.run(spool, "submit", "--", "no-such-command")
    assert missing.exit_code == 127
    assert missing.job is not None
    assert [t["exit_code"] for t in tasks_of(missing.job)] == [127]


def test_two_attempts_are_two_jobs_of_one_task(
    project: ProjectUnderTest, worker: Any, spool: str
) -> None:
    script = "test -e tried || { touch tried; exit 1; }; echo done > out.txt"
    result = project.run(spool, "submit", "--retries", "3", "--", "sh", "-c", script)
    assert result.exit_code == 0
    assert result.job is not None
    [group] = result.job["tasks"]
    assert (group["count"], group["attempts"], group["states"]) == (1, 2, {"succeeded": 1})
    first, second = group["jobs"]
    assert [t["task"]["attempt"] for t in (first, second)] == [1, 2]
    assert first["task"]["task"] == second["task"]["task"]
    assert project.json("show", second["uid"])["rerun_of"] == first["uid"]
    text = project.roar("show", "@1")
    assert "1 succeeded" in text.stdout
    assert "2 attempts: 1 failed" in text.stdout
    assert first["uid"][:8] in project.roar("show", "@1", "--all").stdout
    assert "1 task" in project.roar("log").stdout


def test_collecting_again_merges_nothing_twice(
    project: ProjectUnderTest, worker: Any, spool: str
) -> None:
    driver = project.start(
        *project.roar_argv, "run", "sh", "-c", "./spool submit -- touch a; touch done; read x <>f"
    )
    os.mkfifo(project.root / "f")
    wait_for((project.root / "done").exists)
    assert driver.poll() is None
    kill_group(driver)
    for _ in range(3):
        job = project.json("show", "@1")
        assert [t["state"] for t in tasks_of(job)] == ["succeeded"]
    assert len({t["uid"] for t in tasks_of(job)}) == 1


def test_a_killed_worker_leaves_what_its_command_did(
    project: ProjectUnderTest, worker: Any, spool: str
) -> None:
    project.write("in.txt", "x")
    script = "cat in.txt > out.txt; touch begun; exec sleep 600"
    driver = project.start(*project.roar_argv, "run", spool, "submit", "--", "sh", "-c", script)
    wait_for((project.root / "begun").exists)
    # A process group: the worker, its attempt and the command; nobody is left to tell.
    kill_group(worker)
    assert driver.wait(PATIENCE_S) == 75
    job = project.json("show", "@1")
    [task] = tasks_of(job)
    assert task["state"] == "interrupted"
    assert shown(project, task["uid"]) == ({"in.txt"}, {"out.txt", "begun"})
    assert project.json("show", task["uid"])["coverage"]["state"] == "partial"


def test_a_killed_worker_s_task_is_tried_again(
    project: ProjectUnderTest, worker: Any, spool: str
) -> None:
    script = "test -e begun && exit 0; touch begun; exec sleep 600"
    command = (spool, "submit", "--retries", "1", "--", "sh", "-c", script)
    driver = project.start(*project.roar_argv, "run", *command)
    wait_for((project.root / "begun").exists)
    kill_group(worker)
    project.start("python", "-m", "roar_backend_spool", "work")
    assert driver.wait(PATIENCE_S) == 0
    job = project.json("show", "@1")
    assert [t["state"] for t in tasks_of(job)] == ["interrupted", "succeeded"]
    assert [group["states"] for group in job["tasks"]] == [{"succeeded": 1}]


def test_a_killed_roar_loses_nothing(project: ProjectUnderTest, worker: Any, spool: str) -> None:
    script = "touch begun; until test -e go; do :; done; echo 1 > out.txt"
    driver = project.start(*project.roar_argv, "run", spool, "submit", "--", "sh", "-c", script)
    wait_for((project.root / "begun").exists)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert project.json("show")["state"] == "running", "its command runs on"
    project.write("go", "")
    wait_for(lambda: project.json("show")["state"] != "running")
    job = project.json("show", "@1")
    assert job["state"] == "interrupted"
    [task] = tasks_of(job)
    assert task["state"] == "succeeded"
    assert shown(project, task["uid"])[1] == {"begun", "out.txt"}
    assert not list((project.root / ".roar" / "runs").glob("*"))
    assert (project.root / "out.txt").read_text() == "1\n"
