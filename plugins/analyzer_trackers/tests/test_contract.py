"""The promises of every analyzer, nine times."""

from __future__ import annotations

from pathlib import Path

import pytest
import tracker_layouts as layouts

from roar_analyzer_trackers import (
    aim,
    clearml,
    comet,
    mlflow,
    neptune,
    swanlab,
    tensorboard,
    trackio,
    wandb,
)
from roar_core.hookspecs import Analyzer, ObservedRun, PluginConfig
from roar_core.testing.analyzer import AnalyzerContract

SECOND = 1_000_000_000
STARTED, ENDED = 1_795_617_000 * SECOND, 1_795_618_000 * SECOND
DURING = 1_795_617_500
UUID = "54ac4896-2cc4-4358-9cb3-deaa32570a07"


@pytest.fixture
def config(tmp_path: Path) -> PluginConfig:
    return PluginConfig(tmp_path, {})


def run(project: Path, written: layouts.Written) -> ObservedRun:
    return ObservedRun(project, project, frozenset(), written, {}, {}, STARTED, ENDED)


class TestWandb(AnalyzerContract):
    @pytest.fixture
    def analyzer(self, config: PluginConfig) -> Analyzer:
        return wandb.WandbAnalyzer(config)

    @pytest.fixture
    def relevant_run(self, tmp_path: Path) -> ObservedRun:
        return run(tmp_path, layouts.wandb_run(tmp_path))


class TestMlflow(AnalyzerContract):
    @pytest.fixture
    def analyzer(self, config: PluginConfig) -> Analyzer:
        return mlflow.MlflowAnalyzer(config)

    @pytest.fixture
    def relevant_run(self, tmp_path: Path) -> ObservedRun:
        runs = [("0" * 32, "first", DURING * 1000)]
        stored = layouts.mlflow_file_store(tmp_path, "1" * 32)
        return run(tmp_path, layouts.mlflow_database(tmp_path, runs) | stored)


class TestNeptune(AnalyzerContract):
    @pytest.fixture
    def analyzer(self, config: PluginConfig) -> Analyzer:
        return neptune.NeptuneAnalyzer(config)

    @pytest.fixture
    def relevant_run(self, tmp_path: Path) -> ObservedRun:
        scale = layouts.neptune_scale_run(tmp_path, "ada/digits", "my-run")
        return run(tmp_path, layouts.neptune_run(tmp_path, UUID) | scale)


class TestTensorboard(AnalyzerContract):
    @pytest.fixture
    def analyzer(self) -> Analyzer:
        return tensorboard.TensorboardAnalyzer()

    @pytest.fixture
    def relevant_run(self, tmp_path: Path) -> ObservedRun:
        return run(tmp_path, layouts.tensorboard_run(tmp_path))


class TestClearml(AnalyzerContract):
    @pytest.fixture
    def analyzer(self, config: PluginConfig) -> Analyzer:
        return clearml.ClearmlAnalyzer(config)

    @pytest.fixture
    def relevant_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObservedRun:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        return run(tmp_path, layouts.clearml_offline(tmp_path / "home", "offline-" + "0" * 32))


class TestComet(AnalyzerContract):
    @pytest.fixture
    def analyzer(self, config: PluginConfig) -> Analyzer:
        return comet.CometAnalyzer(config)

    @pytest.fixture
    def relevant_run(self, tmp_path: Path) -> ObservedRun:
        return run(tmp_path, layouts.comet_archive(tmp_path, "0" * 32))


class TestAim(AnalyzerContract):
    @pytest.fixture
    def analyzer(self, config: PluginConfig) -> Analyzer:
        return aim.AimAnalyzer(config)

    @pytest.fixture
    def relevant_run(self, tmp_path: Path) -> ObservedRun:
        return run(tmp_path, layouts.aim_run(tmp_path, "0" * 24))


class TestTrackio(AnalyzerContract):
    @pytest.fixture
    def analyzer(self, config: PluginConfig) -> Analyzer:
        return trackio.TrackioAnalyzer(config)

    @pytest.fixture
    def relevant_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObservedRun:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        runs = [("0" * 32, "2026-11-25T14:38:20.000000+00:00")]
        return run(tmp_path, layouts.trackio_database(tmp_path / "home", runs))


class TestSwanlab(AnalyzerContract):
    @pytest.fixture
    def analyzer(self, config: PluginConfig) -> Analyzer:
        return swanlab.SwanlabAnalyzer(config)

    @pytest.fixture
    def relevant_run(self, tmp_path: Path) -> ObservedRun:
        return run(tmp_path, layouts.swanlab_run(tmp_path))
