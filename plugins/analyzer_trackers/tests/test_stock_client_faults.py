"""What the stock client (reference: its 0.4.7) gets wrong about trackers, in real runs of ours.

The programs write the layouts of `tracker_layouts`; test_real_*.py do the same with real trackers.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest

from roar_core.testing.projects import ProjectUnderTest, Result

HEAD = f"""
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import tracker_layouts as layouts
here = Path.cwd()
"""


def log(
    project: ProjectUnderTest, program: str, environ: Mapping[str, str] | None = None
) -> Result:
    project.write("step.py", HEAD + program)
    return project.run(sys.executable, "step.py", environ=environ)


def tracker_runs(result: Result) -> list[dict[str, str | None]]:
    assert result.job is not None, result.stderr
    return list(result.job["trackers"])


def test_an_offline_run_has_an_id(project: ProjectUnderTest) -> None:
    result = log(project, "layouts.wandb_run(here, mode='offline-run', finished_as='digits/x')")
    assert [(run["run_id"], run["project"]) for run in tracker_runs(result)] == [
        ("n3givgxm", "digits")
    ]


def test_the_address_is_that_of_the_server_that_was_used(project: ProjectUnderTest) -> None:
    program = "layouts.wandb_run(here, finished_as='ada/digits/n3givgxm')"
    result = log(project, program, {"WANDB_BASE_URL": "https://wandb.example.org"})
    url = "https://wandb.example.org/ada/digits/runs/n3givgxm"
    assert [run["url"] for run in tracker_runs(result)] == [url]
    assert f"View in W&B: {url}\n" in project.roar("show").stdout


def test_a_killed_run_keeps_its_id(project: ProjectUnderTest) -> None:
    result = log(project, "layouts.wandb_run(here)\nos.kill(os.getpid(), signal.SIGKILL)")
    assert [run["run_id"] for run in tracker_runs(result)] == ["n3givgxm"]


def test_mlflow_s_database_is_seen_without_any_artifact(project: ProjectUnderTest) -> None:
    program = "layouts.mlflow_database(here, [('1' * 32, 'first', int(time.time() * 1000))])"
    result = log(project, program)
    assert [(run["run_id"], run["name"]) for run in tracker_runs(result)] == [("1" * 32, "first")]
    assert result.writes == set()


def test_a_folder_called_runs_is_not_tensorboard(project: ProjectUnderTest) -> None:
    result = log(project, "layouts.written({here / 'runs' / 'a' / 'model.bin': 'weights'})")
    assert tracker_runs(result) == []
    assert result.writes == {"runs/a/model.bin"}


def test_a_project_in_a_folder_called_wandb_is_recorded_like_any_other(
    project: ProjectUnderTest, tmp_path: Path
) -> None:
    root = tmp_path / "wandb" / "project"
    root.parent.mkdir()
    inside = attrs.evolve(project, root=project.root.rename(root))
    result = log(
        inside, "layouts.written({here / 'model.bin': 'weights'})\nlayouts.wandb_run(here)"
    )
    assert "step.py" in result.reads
    assert result.writes == {"model.bin"}
    assert len(tracker_runs(result)) == 1


def test_thousands_of_tracking_files_are_no_artifact(project: ProjectUnderTest) -> None:
    program = """
[log, *_] = layouts.wandb_run(here)
media = log.parent / "files" / "media"
layouts.written({media / f"{number}.png": "pixels" for number in range(3000)})
layouts.written({here / "model.bin": "weights"})
"""
    result = log(project, program)
    assert result.writes == {"model.bin"}
    assert len(tracker_runs(result)) == 1


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        ("[analyzers]\nexperiment_trackers = false\n", set()),
        (
            "[analyzers.experiment_trackers]\nwandb = false\nmlflow = true\nneptune = false\n",
            {"mlflow"},
        ),
    ],
)
def test_the_settings_switch_off_what_they_say(
    project: ProjectUnderTest, setting: str, left: set[str]
) -> None:
    project.write("roar.toml", setting)
    program = """
layouts.wandb_run(here)
layouts.mlflow_database(here, [("1" * 32, "first", int(time.time() * 1000))])
layouts.neptune_run(here, "54ac4896-2cc4-4358-9cb3-deaa32570a07")
"""
    result = log(project, program)
    assert {run["tracker"] for run in tracker_runs(result)} == left
    tops = {path.split("/")[0] for path in result.writes}
    assert {"wandb", ".neptune"} <= tops
    assert ("mlflow.db" in tops) is not bool(left)


def test_every_switch_is_a_setting_with_words(project: ProjectUnderTest) -> None:
    settings = {s["name"]: s for s in project.json("config", "list")["settings"]}
    prefix = "analyzers.experiment_trackers."
    owned = {name.removeprefix(prefix): s for name, s in settings.items() if prefix in name}
    assert set(owned) == {
        *("aim", "clearml", "comet", "mlflow", "neptune"),
        *("swanlab", "tensorboard", "trackio", "wandb"),
    }
    assert all(setting["value"] is True for setting in owned.values())
