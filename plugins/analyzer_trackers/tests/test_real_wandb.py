"""The real W&B client under real `roar run`: offline, and online against a server of ours."""

from __future__ import annotations

import re

import pytest
from wandb_server import WandbServer

from roar_core.testing.projects import ProjectUnderTest, Result

pytestmark = [pytest.mark.tracker("wandb"), pytest.mark.slow]

TRAIN = """
import os, signal, sys
import wandb

with wandb.init(project="digits", name="first") as run:
    run.log({"loss": 1})
    if "killed" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
with open("model.bin", "w") as file:
    file.write("weights")
"""
OFFLINE = {"WANDB_MODE": "offline"}


@pytest.fixture
def training(project: ProjectUnderTest) -> ProjectUnderTest:
    project.write("train.py", TRAIN)
    return project


def tracker_runs(result: Result) -> list[dict[str, str | None]]:
    assert result.job is not None, result.stderr
    return list(result.job["trackers"])


def online(server: WandbServer) -> dict[str, str]:
    return {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": "0" * 40}


def test_an_offline_run_has_its_id_and_no_address(
    training: ProjectUnderTest, tracker_python: str
) -> None:
    result = training.run(tracker_python, "train.py", environ=OFFLINE)
    assert result.exit_code == 0, result.stderr
    [folder] = (training.root / "wandb").glob("offline-run-*")
    [found] = tracker_runs(result)
    assert found["run_id"] == folder.name.rpartition("-")[2]
    assert (found["project"], found["name"]) == ("digits", "first")
    assert (found["url"], found["host"]) == (None, None)


def test_no_file_of_the_tracker_is_an_artifact(
    training: ProjectUnderTest, tracker_python: str
) -> None:
    result = training.run(tracker_python, "train.py", environ=OFFLINE)
    assert (result.reads, result.writes) == ({"train.py"}, {"model.bin"})


def test_an_online_run_has_the_address_that_the_client_prints(
    training: ProjectUnderTest, tracker_python: str
) -> None:
    with WandbServer("ada") as server:
        result = training.run(tracker_python, "train.py", environ=online(server))
        [found] = tracker_runs(result)
        assert found["url"] == f"{server.url}/ada/digits/runs/{found['run_id']}"
        assert f"View run first at: {found['url']}" in re.sub(r"\x1b\[\d*m", "", result.stderr)
        assert f"View in W&B: {found['url']}\n" in training.roar("show").stdout
    assert (result.reads, result.writes) == ({"train.py"}, {"model.bin"})


def test_the_server_may_be_named_by_a_settings_file(
    training: ProjectUnderTest, tracker_python: str
) -> None:
    with WandbServer("ada") as server:
        training.write("wandb/settings", f"[default]\nbase_url = {server.url}\n")
        key = {"WANDB_API_KEY": "0" * 40}
        [found] = tracker_runs(training.run(tracker_python, "train.py", environ=key))
        assert found["url"] == f"{server.url}/ada/digits/runs/{found['run_id']}"


def test_a_run_that_was_killed_has_its_id(training: ProjectUnderTest, tracker_python: str) -> None:
    result = training.run(tracker_python, "train.py", "killed", environ=OFFLINE)
    [folder] = (training.root / "wandb").glob("offline-run-*")
    assert result.job is not None
    assert result.job["signal"] == "SIGKILL"
    assert [run["run_id"] for run in tracker_runs(result)] == [folder.name.rpartition("-")[2]]
    assert result.writes == set()


def test_an_online_run_that_was_killed_has_its_id_and_server(
    training: ProjectUnderTest, tracker_python: str
) -> None:
    with WandbServer("ada") as server:
        result = training.run(tracker_python, "train.py", "killed", environ=online(server))
        [folder] = (training.root / "wandb").glob("run-*")
        [found] = tracker_runs(result)
        assert found["run_id"] == folder.name.rpartition("-")[2]
        assert found["host"] == server.url


def test_several_runs_and_processes_are_several_references(
    project: ProjectUnderTest, tracker_python: str
) -> None:
    project.write("train.py", SEVERAL)
    with WandbServer("ada") as server:
        result = project.run(tracker_python, "train.py", environ=online(server))
        assert result.exit_code == 0, result.stderr
        found = {run["run_id"]: run["url"] for run in tracker_runs(result)}
    assert found == {
        "one": f"{server.url}/team/digits/runs/one",
        "two": f"{server.url}/ada/digits/runs/two",
        "of-a-child": f"{server.url}/ada/digits/runs/of-a-child",
    }
    assert len(tracker_runs(result)) == 3  # the one that was resumed comes once


SEVERAL = """
import subprocess, sys
import wandb

def train(**options):
    with wandb.init(project="digits", dir="logs", **options) as run:
        run.log({"loss": 1})

if len(sys.argv) > 1:
    train(id="of-a-child")
else:
    train(id="one", entity="team")
    train(id="two")
    train(id="one", entity="team", resume="must")
    subprocess.run([sys.executable, "train.py", "child"], check=True)
"""


def test_the_settings_switch_it_off(training: ProjectUnderTest, tracker_python: str) -> None:
    training.write("roar.toml", "[analyzers.experiment_trackers]\nwandb = false\nmlflow = true\n")
    result = training.run(tracker_python, "train.py", environ=OFFLINE)
    assert tracker_runs(result) == []
    assert any(path.startswith("wandb/offline-run-") for path in result.writes)
