"""TensorBoard, ClearML, Comet, Aim, trackio and SwanLab: what each file tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import pytest
import tracker_layouts as layouts

from roar_analyzer_trackers.aim import AimAnalyzer
from roar_analyzer_trackers.clearml import ClearmlAnalyzer
from roar_analyzer_trackers.comet import CometAnalyzer
from roar_analyzer_trackers.swanlab import SwanlabAnalyzer
from roar_analyzer_trackers.tensorboard import TensorboardAnalyzer
from roar_analyzer_trackers.trackio import TrackioAnalyzer
from roar_core.hookspecs import Analyzer, ObservedRun, PluginConfig
from roar_core.model.tracker import TrackerReference
from roar_core.testing.analyzer import claims_of

STARTED_S, ENDED_S = 1_795_617_000, 1_795_618_000
HASH, KEY, TASK = "2" * 24, "c" * 32, "7" * 32


def found(
    analyzer: type[Any],
    written: layouts.Written = frozenset(),
    environ: Mapping[str, str] | None = None,
    packages: tuple[str, ...] = (),
) -> list[TrackerReference]:
    run = ObservedRun(
        Path("/p"),
        Path("/p"),
        written=written,
        environ=environ or {},
        packages=dict.fromkeys(packages, "1"),
        started_at_ns=STARTED_S * 10**9,
        ended_at_ns=ENDED_S * 10**9,
    )
    made: Analyzer = analyzer(PluginConfig(Path("/p"), {}, run.environ))
    return list(made.references(run))


class Tensorboard(TensorboardAnalyzer):
    def __init__(self, config: PluginConfig) -> None:
        """Like the others; this one's patterns depend on nothing."""


def test_a_log_directory_is_named_relative_to_the_project_when_inside() -> None:
    name = "events.out.tfevents.1795617855.vm"
    written = frozenset({PurePath(f"/p/runs/a/{name}"), PurePath(f"/logs/b/{name}")})
    assert [run.run_id for run in found(Tensorboard, written)] == ["/logs/b", "runs/a"]


def test_folders_called_runs_and_logs_are_nobody_s() -> None:
    claims = claims_of(TensorboardAnalyzer(), Path("/p"))
    assert not claims("/p/runs/model.bin")
    assert not claims("/p/logs/tfevents.txt")
    assert claims("/p/anywhere/events.out.tfevents.1795617855.vm.1.0.v2")


def test_a_clearml_task_on_a_server_is_in_the_session_file(tmp_path: Path) -> None:
    tasks = [("a" * 32, STARTED_S - 1), ("b" * 32, STARTED_S + 0.5), ("c" * 32, ENDED_S + 1)]
    written = layouts.clearml_session(tmp_path, tasks, api="https://api.clear.ml")
    [run] = found(ClearmlAnalyzer, written, {"HOME": str(tmp_path)})
    assert (run.run_id, run.project, run.name) == ("b" * 32, "digits", "first")
    assert run.url == f"https://app.clear.ml/projects/*/experiments/{'b' * 32}/output/log"
    assert [run.url for run in found(ClearmlAnalyzer, written)] == [None]


@pytest.mark.parametrize(
    ("api", "environ", "host"),
    [
        ("http://clearml.lan:8008", {}, "http://clearml.lan:8080"),
        ("https://api.clearml.lan", {}, "https://app.clearml.lan"),
        ("https://clearml.lan/api", {}, None),
        ("https://x.lan", {"CLEARML_WEB_HOST": "https://me:pw@y.lan/"}, "https://y.lan"),
    ],
)
def test_a_clearml_server_of_one_s_own(
    tmp_path: Path, api: str, environ: Mapping[str, str], host: str | None
) -> None:
    written = layouts.clearml_session(tmp_path, [(TASK, STARTED_S + 1)], api=api)
    [run] = found(ClearmlAnalyzer, written, {"HOME": str(tmp_path)} | environ)
    assert run.host == host


def test_a_clearml_task_of_which_only_the_archive_is_left() -> None:
    archive = PurePath(f"/home/ada/.clearml/cache/offline/offline-{TASK}.zip")
    [run] = found(ClearmlAnalyzer, frozenset({archive}))
    assert run == TrackerReference("clearml", f"offline-{TASK}")


def test_a_comet_experiment_on_the_server_is_the_one_that_the_variable_names() -> None:
    environ = {"COMET_EXPERIMENT_KEY": KEY, "COMET_WORKSPACE": "ada"}
    [run] = found(CometAnalyzer, environ=environ, packages=("comet_ml",))
    assert (run.run_id, run.host, run.url) == (KEY, "https://www.comet.com", None)
    environ |= {
        "COMET_PROJECT_NAME": "digits",
        "COMET_URL_OVERRIDE": "https://comet.lan/clientlib/",
    }
    [run] = found(CometAnalyzer, environ=environ, packages=("comet-ml",))
    assert run.url == f"https://comet.lan/ada/digits/{KEY}"
    assert found(CometAnalyzer, environ=environ) == []


def test_a_comet_archive_names_its_experiment(tmp_path: Path) -> None:
    assert found(CometAnalyzer, layouts.comet_archive(tmp_path, KEY)) == [
        TrackerReference("comet", KEY, project="digits", entity="ada")
    ]


def test_an_aim_repository_s_other_runs_are_not_the_job_s(tmp_path: Path) -> None:
    written = layouts.aim_run(tmp_path, HASH)
    assert found(AimAnalyzer, written) == [
        TrackerReference("aim", HASH, project="digits", name="first")
    ]
    database = frozenset(path for path in written if path.suffix == ".sqlite")
    assert found(AimAnalyzer, database) == []


def test_trackio_s_runs_are_those_created_in_the_job_s_time(tmp_path: Path) -> None:
    runs = [
        ("a" * 32, "2026-11-25T14:29:59.999999+00:00"),
        ("b" * 32, "2026-11-25T14:30:00.000001+00:00"),
        ("c" * 32, "2026-11-25T14:46:41.000000+00:00"),
    ]
    written = layouts.trackio_database(tmp_path, runs, space="ada/board")
    [run] = found(TrackioAnalyzer, written)
    assert (run.run_id, run.project, run.entity) == ("b" * 32, "digits", "ada")
    assert (run.host, run.url) == ("https://huggingface.co/spaces/ada/board", None)


def test_swanlab_is_online_only_where_the_variable_says_so(tmp_path: Path) -> None:
    written = layouts.swanlab_run(tmp_path, workspace="ada")
    [run] = found(SwanlabAnalyzer, written)
    assert (run.run_id, run.project, run.entity, run.url) == ("xmbzpcii", "digits", "ada", None)
    [run] = found(SwanlabAnalyzer, written, {"SWANLAB_MODE": "online"})
    assert run.url == "https://swanlab.cn/@ada/digits/runs/xmbzpcii"
    own = {"SWANLAB_MODE": "cloud", "SWANLAB_WEB_HOST": "http://swan.lan"}
    assert (
        found(SwanlabAnalyzer, written, own)[0].url == "http://swan.lan/@ada/digits/runs/xmbzpcii"
    )


def test_swanlab_leaves_w_and_b_s_folders_alone(tmp_path: Path) -> None:
    assert found(SwanlabAnalyzer, layouts.wandb_run(tmp_path)) == []


@pytest.mark.parametrize("analyzer", [ClearmlAnalyzer, TrackioAnalyzer])
def test_a_cache_that_is_a_link_stays_out_where_it_leads(
    tmp_path: Path, analyzer: type[Any]
) -> None:
    """As on clusters, whose homes are small; roar records where a file really is."""
    for name in (".cache", ".clearml"):
        (tmp_path / "scratch" / name).mkdir(parents=True)
        (tmp_path / name).symlink_to(tmp_path / "scratch" / name)
    claims = claims_of(analyzer(PluginConfig(Path("/p"), {}, {"HOME": str(tmp_path)})), Path("/p"))
    scratch = tmp_path / "scratch"
    places = (".cache/huggingface/trackio/digits.db", ".clearml/.session.json")
    assert [claims(str(scratch / place)) for place in places].count(True) == 1
    assert not claims(str(scratch / "data.csv"))


@pytest.mark.parametrize(
    ("analyzer", "variable", "path"),
    [
        (ClearmlAnalyzer, "CLEARML_CACHE_DIR", "offline/x/log.jsonl"),
        (CometAnalyzer, "COMET_OFFLINE_DIRECTORY", "x.zip"),
        (AimAnalyzer, "AIM_REPO", ".aim/VERSION"),
        (TrackioAnalyzer, "TRACKIO_DIR", "digits.db"),
        (TrackioAnalyzer, "HF_HOME", "trackio/digits.db"),
        (SwanlabAnalyzer, "SWANLAB_LOGDIR", "run-1/x"),
    ],
)
def test_what_a_variable_moves_stays_out_as_well(
    analyzer: type[Any], variable: str, path: str
) -> None:
    config = PluginConfig(Path("/p"), {}, {variable: "/data/own", "HOME": "/home/ada"})
    claims = claims_of(analyzer(config), Path("/p"))
    assert claims(f"/data/own/{path}")
    assert not claims("/data/other/x")
