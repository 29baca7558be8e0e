"""Both real Neptune clients under real `roar run`, offline."""

from __future__ import annotations

import pytest

from roar_core.testing.projects import ProjectUnderTest, Result

pytestmark = pytest.mark.slow

NEPTUNE_1 = """
import os, signal, sys
import neptune

if __name__ == "__main__":
    with neptune.init_run(mode="offline") as run:
        run["loss"].append(1)
        if "killed" in sys.argv:
            os.kill(os.getpid(), signal.SIGKILL)
"""
SCALE = """
import os, signal, sys
from neptune_scale import Run

if __name__ == "__main__":
    with Run(project="ada/digits", run_id="my-run_1", mode="offline") as run:
        run.log_metrics({"loss": 1.0}, step=1)
        if "killed" in sys.argv:
            run.wait_for_submission(timeout=1)
            os.kill(os.getpid(), signal.SIGKILL)
"""


def tracker_runs(result: Result) -> list[dict[str, str | None]]:
    assert result.job is not None, result.stderr
    return list(result.job["trackers"])


@pytest.mark.tracker("neptune")
@pytest.mark.parametrize("words", [(), ("killed",)])
def test_a_run_of_neptune_1_has_its_id(
    project: ProjectUnderTest, tracker_python: str, words: tuple[str, ...]
) -> None:
    project.write("train.py", NEPTUNE_1)
    where = {"NEPTUNE_PROJECT": "ada/digits"}
    result = project.run(tracker_python, "train.py", *words, environ=where)
    [folder] = (project.root / ".neptune" / "offline").iterdir()
    [found] = tracker_runs(result)
    assert found["run_id"] == folder.name.split("__")[1]
    assert (found["entity"], found["project"], found["url"]) == ("ada", "digits", None)
    assert (result.reads, result.writes) == ({"train.py"}, set())


@pytest.mark.tracker("neptune-scale")
@pytest.mark.parametrize("words", [(), ("killed",)])
def test_a_run_of_neptune_scale_has_its_id(
    project: ProjectUnderTest, tracker_python: str, words: tuple[str, ...]
) -> None:
    project.write("train.py", SCALE)
    result = project.run(tracker_python, "train.py", *words)
    [found] = tracker_runs(result)
    assert (found["entity"], found["project"], found["run_id"]) == ("ada", "digits", "my-run_1")
    assert found["url"] is None
    assert (result.reads, result.writes) == ({"train.py"}, set())
