"""What Slurm starts is recorded as tasks of the run, with what each really did."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import roar_backend_slurm
from roar_backend_slurm.client import STEP, US

from roar_core.testing.processes import wait_for
from roar_core.testing.projects import ProjectUnderTest


@pytest.fixture(autouse=True)
def installed(project: ProjectUnderTest, slurm: dict[str, str]) -> None:
    """The project's commands find the plugin where these tests find it, and a Slurm."""
    project.environ["PYTHONPATH"] = str(Path(roar_backend_slurm.__file__).parents[1])
    project.environ["FAKE_SLURM"] = slurm["FAKE_SLURM"]
    project.environ["PATH"] = f"{slurm['PATH']}{os.pathsep}{project.environment()['PATH']}"


def call(project: ProjectUnderTest, *command: str) -> str:
    done = subprocess.run(
        command, env=project.environment(), cwd=project.root, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode()


def is_over(project: ProjectUnderTest) -> bool:
    return not call(project, "squeue", "--me", "--noheader", "--format=%F")


def tasks_of(job: Any) -> dict[tuple[str, int], Any]:
    found = [task for group in job["tasks"] for task in group["jobs"]]
    return {(task["task"]["task"], task["task"]["attempt"]): task for task in found}


def shown(project: ProjectUnderTest, uid: str) -> tuple[set[str], set[str]]:
    """Inputs and outputs in the project: the files of a Slurm of one machine lie outside."""
    job = project.json("show", uid)
    inputs, outputs = (
        {e["relative"] for e in job[side]} - {None} for side in ("inputs", "outputs")
    )
    return inputs, outputs


def test_each_rank_of_a_step_is_a_task(project: ProjectUnderTest) -> None:
    project.write("in.txt", "x")
    script = "cp in.txt $SLURM_PROCID.txt; echo rank $SLURM_PROCID; exit $SLURM_PROCID"
    result = project.run("srun", "-n", "2", "sh", "-c", script)
    assert result.exit_code == 1
    assert sorted(result.stdout.splitlines()) == ["rank 0", "rank 1"]
    assert result.job is not None
    assert result.job["coverage"]["reasons"] == []
    assert result.job["packages"]["python"].keys() <= {"roar-backend-slurm", "roar-core"}
    tasks = tasks_of(result.job)
    assert {key: (t["name"], t["exit_code"]) for key, t in tasks.items()} == {
        ("1.0.0", 1): ("sh", 0),
        ("1.0.1", 1): ("sh", 1),
    }
    for task in tasks.values():
        rank = task["exit_code"]
        assert shown(project, task["uid"]) == ({"in.txt"}, {f"{rank}.txt"})


def test_a_batch_script_and_its_steps_are_tasks_of_who_waits(project: ProjectUnderTest) -> None:
    script = "#!/bin/bash\n#SBATCH --ntasks=2\n\n# begins\necho $1 > batch.txt\n"
    project.write("train.sh", script + "srun -n 2 sh -c 'cat batch.txt > $SLURM_PROCID.txt'\n")
    result = project.run("sbatch", "--wait", "train.sh", "3")
    assert (result.exit_code, result.stdout) == (0, "Submitted batch job 1\n"), result.stderr
    assert result.job is not None
    tasks = tasks_of(result.job)
    assert {key: t["name"] for key, t in tasks.items()} == {
        ("1.batch.0", 1): "train.sh",
        ("1.0.0", 1): "sh",
        ("1.0.1", 1): "sh",
    }
    assert shown(project, tasks["1.batch.0", 1]["uid"]) == (set(), {"batch.txt"})
    assert shown(project, tasks["1.0.1", 1]["uid"]) == ({"batch.txt"}, {"1.txt"})
    [read] = project.json("show", tasks["1.0.0", 1]["uid"])["inputs"]
    assert read["producer"] == tasks["1.batch.0", 1]["uid"]
    assert result.job["coverage"]["reasons"] == []
    assert "train.sh" in result.reads


def test_what_is_only_submitted_is_collected_later(
    project: ProjectUnderTest, tmp_path: Path
) -> None:
    (tmp_path / "state" / "hold").touch()
    project.write("train.sh", "#!/bin/sh\n#SBATCH --array=0-2\necho > $SLURM_ARRAY_TASK_ID.txt\n")
    result = project.run("sh", "-c", "sbatch --parsable train.sh")
    assert (result.exit_code, result.stdout) == (0, "1\n")
    assert result.job is not None
    [reason] = result.job["coverage"]["reasons"]
    assert reason["detail"] == "of 1 tasks of slurm not reported"
    (tmp_path / "state" / "hold").unlink()
    wait_for(lambda: is_over(project))
    assert project.roar("collect").exit_code == 0
    job = project.json("show", result.job["uid"])
    assert job["coverage"]["reasons"] == []
    assert set(tasks_of(job)) == {(f"1_{n}.batch.0", 1) for n in range(3)}
    assert not list((project.root / ".roar" / "runs").glob("*"))


def test_a_requeued_job_is_another_attempt(project: ProjectUnderTest) -> None:
    script = "#!/bin/sh\necho > a${SLURM_RESTART_COUNT}.txt\n"
    script += "test $SLURM_RESTART_COUNT || { touch begun; exec sleep 600; }\n"
    project.write("train.sh", script)
    result = project.run("sbatch", "train.sh")
    wait_for((project.root / "begun").exists)
    # A node dies: the observer, and all that it observed.
    call(project, "scontrol", "requeue", "1")
    wait_for(lambda: is_over(project))
    assert project.roar("collect").exit_code == 0
    assert result.job is not None
    job = project.json("show", result.job["uid"])
    tasks = tasks_of(job)
    assert {key: task["state"] for key, task in tasks.items()} == {
        ("1.batch.0", 1): "interrupted",
        ("1.batch.0", 2): "succeeded",
    }
    assert shown(project, tasks["1.batch.0", 1]["uid"])[1] == {"a.txt", "begun"}
    assert shown(project, tasks["1.batch.0", 2]["uid"])[1] == {"a1.txt"}
    assert [group["count"] for group in job["tasks"]] == [1]


def test_a_cancelled_job_has_failed_by_its_signal(project: ProjectUnderTest) -> None:
    project.write("train.sh", "#!/bin/sh\necho > out.txt\ntouch begun\nexec sleep 600\n")
    result = project.run("sbatch", "train.sh")
    wait_for((project.root / "begun").exists)
    call(project, "scancel", "1")
    wait_for(lambda: is_over(project))
    assert project.roar("collect").exit_code == 0
    assert result.job is not None
    [task] = tasks_of(project.json("show", result.job["uid"])).values()
    assert (task["state"], task["signal"]) == ("failed", "SIGTERM")
    assert shown(project, task["uid"])[1] == {"out.txt", "begun"}


def test_a_killed_roar_loses_nothing(project: ProjectUnderTest) -> None:
    script = "touch begun; until test -e go; do sleep 0.01; done; echo > out.txt"
    driver = project.start(*project.roar_argv, "run", "srun", "sh", "-c", script)
    wait_for((project.root / "begun").exists)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    project.write("go", "")
    wait_for(lambda: project.json("show")["state"] != "running")
    [task] = tasks_of(project.json("show", "@1")).values()
    assert task["state"] == "succeeded"
    assert shown(project, task["uid"])[1] == {"begun", "out.txt"}


def test_what_cannot_be_observed_runs_all_the_same(project: ProjectUnderTest) -> None:
    project.write("none.csh", "#!/usr/bin/env perl\nexit 3;\n")
    result = project.run("sbatch", "--wait", "none.csh")
    assert result.exit_code == 3
    assert result.job is not None
    assert [r["code"] for r in result.job["coverage"]["reasons"]] == ["tasks"]
    missing = project.run("sbatch", "missing.sh")
    assert (missing.exit_code, missing.stdout) == (1, "")
    scrubbed = project.run("srun", "--export=NONE", "/bin/sh", "-c", "echo > scrubbed.txt")
    assert scrubbed.exit_code == 0, scrubbed.stderr
    assert scrubbed.job is not None
    [task] = tasks_of(scrubbed.job).values()
    assert shown(project, task["uid"])[1] == {"scrubbed.txt"}


def test_a_strict_shell_runs_its_script(project: ProjectUnderTest) -> None:
    project.write("strict.sh", "#!/bin/sh -eu\necho done > out.txt\n")
    result = project.run("sbatch", "--wait", "strict.sh")
    assert result.exit_code == 0, result.stderr
    assert project.read("out.txt") == "done\n"
    [task] = tasks_of(result.job).values()
    assert shown(project, task["uid"])[1] == {"out.txt"}


def test_a_step_is_a_task_of_the_innermost_run(project: ProjectUnderTest) -> None:
    inner = shlex.join([*project.roar_argv, "run", "srun", "true"])
    result = project.run("sh", "-c", inner)
    assert result.exit_code == 0, result.stderr
    jobs = [project.json("show", f"@{step}") for step in (1, 2)]
    assert [len(tasks_of(job)) for job in jobs if job["command"][0] == "srun"] == [1]
    assert [len(tasks_of(job)) for job in jobs if job["command"][0] == "sh"] == [0]


def test_a_node_without_roar_runs_what_it_was_given(project: ProjectUnderTest) -> None:
    """The interpreter is there, as /usr/bin/python3 is everywhere; the client's file is not."""
    step = (*US[:2], "/no/such/client.py", "folder", "project", "step")
    words = ("/bin/sh", "-c", STEP, "sh", *step, "sh", "-c", "exit 7")
    assert subprocess.run(words, check=False).returncode == 7
