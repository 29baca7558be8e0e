"""The real MLflow client under real `roar run`: its database, its file store, and a killed run."""

from __future__ import annotations

import pytest

from roar_core.testing.projects import ProjectUnderTest, Result

pytestmark = [pytest.mark.tracker("mlflow"), pytest.mark.slow]

TRAIN = """
import os, signal, sys
import mlflow

mlflow.set_experiment("digits")
with mlflow.start_run(run_name="outer"):
    mlflow.log_metric("loss", 1)
    if "killed" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    with mlflow.start_run(run_name="inner", nested=True):
        mlflow.log_text("hello", "note.txt")
with open("model.bin", "w") as file:
    file.write("weights")
"""


@pytest.fixture
def training(project: ProjectUnderTest) -> ProjectUnderTest:
    project.write("train.py", TRAIN)
    return project


def named(result: Result) -> list[tuple[str | None, str | None]]:
    assert result.job is not None, result.stderr
    assert all(len(run["run_id"]) == 32 for run in result.job["trackers"])
    return sorted((run["project"], run["name"]) for run in result.job["trackers"])


def test_the_default_database_is_seen_and_names_nested_runs(
    training: ProjectUnderTest, tracker_python: str
) -> None:
    result = training.run(tracker_python, "train.py")
    assert (training.root / "mlflow.db").is_file()
    assert named(result) == [("digits", "inner"), ("digits", "outer")]
    assert (result.reads, result.writes) == ({"train.py"}, {"model.bin"})


def test_a_job_names_its_own_runs_only(training: ProjectUnderTest, tracker_python: str) -> None:
    training.write("one.py", 'import mlflow\nwith mlflow.start_run(run_name="one"): pass\n')
    first = training.run(tracker_python, "train.py")
    second = training.run(tracker_python, "one.py")
    assert len(named(first)) == 2
    assert named(second) == [("Default", "one")]
    assert second.reads == {"one.py"}  # the database, which it read, is no input


def test_a_run_that_was_killed_has_its_id(training: ProjectUnderTest, tracker_python: str) -> None:
    result = training.run(tracker_python, "train.py", "killed")
    assert result.job is not None
    assert result.job["signal"] == "SIGKILL"
    assert named(result) == [("digits", "outer")]


def test_the_older_file_store(training: ProjectUnderTest, tracker_python: str) -> None:
    store = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_TRACKING_URI": "./tracking/mine"}
    result = training.run(tracker_python, "train.py", environ=store)
    assert result.exit_code == 0, result.stderr
    assert named(result) == [("digits", "inner"), ("digits", "outer")]
    assert (result.reads, result.writes) == ({"train.py"}, {"model.bin"})


def test_a_database_elsewhere(training: ProjectUnderTest, tracker_python: str) -> None:
    (training.root / "data").mkdir()
    place = {"MLFLOW_TRACKING_URI": "sqlite:///data/runs.sqlite"}
    result = training.run(tracker_python, "train.py", environ=place)
    assert len(named(result)) == 2
    assert result.writes == {"model.bin"}


def test_a_server_that_cannot_be_reached_is_named_all_the_same(
    project: ProjectUnderTest, tracker_python: str
) -> None:
    project.write("train.py", "import mlflow\n")
    server = {
        "MLFLOW_TRACKING_URI": "https://ada:secret@mlflow.example.org/team?token=secret",
        "MLFLOW_RUN_ID": "0123456789abcdef0123456789abcdef",
        "MLFLOW_EXPERIMENT_ID": "7",
    }
    result = project.run(tracker_python, "train.py", environ=server)
    assert result.job is not None
    [found] = result.job["trackers"]
    assert found["host"] == "https://mlflow.example.org/team"
    assert found["url"] == (
        "https://mlflow.example.org/team/#/experiments/7/runs/0123456789abcdef0123456789abcdef"
    )
    assert "secret" not in str(result.job["trackers"])
