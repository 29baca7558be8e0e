"""The trackers beyond the promised three under real `roar run`, offline: `make test-all`."""

from __future__ import annotations

import re

import pytest

from roar_core.testing.projects import ProjectUnderTest, Result

pytestmark = pytest.mark.slow

# What each logs, what is known of it beside its id, and what its id looks like.
AIM = """
import aim
run = aim.Run(experiment="digits")
run.track(1.0, name="loss")
run.close()
"""
CLEARML = """
from clearml import Task
Task.set_offline(True)
task = Task.init(project_name="digits", task_name="first")
task.get_logger().report_scalar("loss", "train", 1.0, 1)
task.close()
"""
COMET = """
import comet_ml
experiment = comet_ml.OfflineExperiment(project_name="digits", workspace="ada")
experiment.log_metric("loss", 1)
experiment.end()
"""
SWANLAB = """
import swanlab
swanlab.init(project="digits", experiment_name="first", mode="offline")
swanlab.log({"loss": 1})
swanlab.finish()
"""
TENSORBOARD = """
from tensorboardX import SummaryWriter
for folder in ("runs/a", "b"):
    with SummaryWriter(folder) as writer:
        writer.add_scalar("loss", 1.0, 1)
with open("runs/notes.txt", "w") as file:
    file.write("a folder called runs is nobody's")
"""
TRACKIO = """
import trackio
trackio.init(project="digits", name="first")
trackio.log({"loss": 1})
trackio.finish()
"""


def log(project: ProjectUnderTest, python: str, program: str) -> Result:
    project.write("train.py", program)
    result = project.run(python, "train.py")
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize(
    ("program", "run_id", "known"),
    [
        pytest.param(*values, id=tracker, marks=pytest.mark.tracker(tracker))
        for tracker, values in {
            "aim": (AIM, "[0-9a-f]{24}", {"project": "digits"}),
            "clearml": (CLEARML, "offline-[0-9a-f]{32}", {"project": "digits", "name": "first"}),
            "comet": (COMET, "[0-9a-f]{32}", {"project": "digits", "entity": "ada"}),
            "swanlab": (SWANLAB, "[a-z0-9]{8}", {"project": "digits", "name": "first"}),
            "trackio": (TRACKIO, "[0-9a-f]{32}", {"project": "digits", "name": "first"}),
        }.items()
    ],
)
def test_its_run_is_named_and_its_files_stay_out(
    project: ProjectUnderTest,
    tracker_python: str,
    program: str,
    run_id: str,
    known: dict[str, str],
) -> None:
    result = log(project, tracker_python, program)
    assert result.job is not None
    [found] = result.job["trackers"]
    assert re.fullmatch(run_id, found["run_id"])
    assert {key: found[key] for key in known} == known
    assert found["url"] is None
    assert (result.reads, result.writes) == ({"train.py"}, set())


@pytest.mark.tracker("tensorboard")
def test_event_files_are_recognised_wherever_they_are(
    project: ProjectUnderTest, tracker_python: str
) -> None:
    result = log(project, tracker_python, TENSORBOARD)
    assert result.job is not None
    assert [run["run_id"] for run in result.job["trackers"]] == ["b", "runs/a"]
    assert (result.reads, result.writes) == ({"train.py"}, {"runs/notes.txt"})
