"""Which of a shared database's runs are a job's, and what a server's address becomes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tracker_layouts import Written, mlflow_database, mlflow_file_store, written

from roar_analyzer_trackers.mlflow import MlflowAnalyzer
from roar_core.hookspecs import ObservedRun, PluginConfig
from roar_core.model.tracker import TrackerReference
from roar_core.testing.analyzer import claims_of

STARTED_MS, ENDED_MS = 1_795_617_000_000, 1_795_618_000_000
ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32
SERVER = {"MLFLOW_TRACKING_URI": "https://mlflow.example.org/"}


def found(
    project: Path,
    written: Written = frozenset(),
    environ: Mapping[str, str] | None = None,
    packages: tuple[str, ...] = (),
) -> list[TrackerReference]:
    run = ObservedRun(
        project,
        project,
        written=written,
        environ=environ or {},
        packages=dict.fromkeys(packages, "3.17.2"),
        started_at_ns=STARTED_MS * 1_000_000 + 999_999,
        ended_at_ns=ENDED_MS * 1_000_000,
    )
    return list(MlflowAnalyzer(PluginConfig(project, {}, run.environ)).references(run))


def test_the_runs_that_began_in_the_job_s_time(tmp_path: Path) -> None:
    runs = [
        (ONE, "before", STARTED_MS - 1),
        (TWO, "first", STARTED_MS),
        (THREE, "last", ENDED_MS),
        ("4" * 32, "after", ENDED_MS + 5),
    ]
    written = mlflow_database(tmp_path, runs)
    assert found(tmp_path, written) == [
        TrackerReference("mlflow", TWO, project="digits", name="first"),
        TrackerReference("mlflow", THREE, project="digits", name="last"),
    ]


def test_a_run_that_the_job_was_told_to_go_on_with(tmp_path: Path) -> None:
    written = mlflow_database(tmp_path, [(ONE, "before", STARTED_MS - 1)])
    told = {"MLFLOW_RUN_ID": ONE}
    assert [run.name for run in found(tmp_path, written, told)] == ["before"]


def test_a_run_that_began_earlier_is_known_by_the_artifacts_it_got(tmp_path: Path) -> None:
    artifact = tmp_path / "mlruns" / "1" / ONE / "artifacts" / "note.txt"
    assert [run.run_id for run in found(tmp_path, written({artifact: "hello"}))] == [ONE]


def test_a_logged_model_is_no_run(tmp_path: Path) -> None:
    model = tmp_path / "mlruns" / "1" / "models" / f"m-{ONE}" / "artifacts" / "MLmodel"
    assert found(tmp_path, written({model: ""})) == []


@pytest.mark.parametrize(
    ("scalar", "name"),
    [
        ("first", "first"),
        ("'12'", "12"),
        ("'it''s'", "it's"),
        ('"caf\\xE9 \\u2603"', "café ☃"),
        ('"a\\"b"', 'a"b'),
        ("null", None),
        ("'", "'"),
    ],
)
def test_names_in_the_file_store_are_read_as_yaml(
    tmp_path: Path, scalar: str, name: str | None
) -> None:
    [run] = found(tmp_path, mlflow_file_store(tmp_path, ONE, name=scalar))
    assert (run.run_id, run.project, run.name) == (ONE, "it's digits", name)


def test_the_database_that_the_variable_names(tmp_path: Path) -> None:
    written = mlflow_database(tmp_path, [(ONE, "first", STARTED_MS)], name="a[1] b.sqlite")
    where = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/a[1] b.sqlite"}
    assert [run.run_id for run in found(tmp_path, written, where)] == [ONE]
    assert found(tmp_path, written) == []
    claims = claims_of(MlflowAnalyzer(PluginConfig(tmp_path, {}, where)), tmp_path)
    assert claims(f"{tmp_path}/a[1] b.sqlite-journal")
    assert not claims(f"{tmp_path}/a1 b.sqlite")


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("file:///data/tracking", "/data/tracking/"),
        ("file:/data/tracking", "/data/tracking/"),
        ("/data/tracking", "/data/tracking/"),
        ("~/tracking", "/home/ada/tracking/"),
        ("https://mlflow.example.org/a", None),
        ("databricks", None),
        ("/", None),
        ("./", None),
    ],
)
def test_the_file_store_that_the_variable_names(uri: str, folder: str | None) -> None:
    environ = {"MLFLOW_TRACKING_URI": uri, "HOME": "/home/ada"}
    analyzer = MlflowAnalyzer(PluginConfig(Path("/p"), {}, environ))
    usual = MlflowAnalyzer(PluginConfig(Path("/p"), {}, {"HOME": "/home/ada"}))
    assert set(analyzer.patterns) - set(usual.patterns) == ({folder} if folder else set())


@pytest.mark.parametrize("package", ["mlflow", "mlflow-skinny", "mlflow_tracing"])
def test_a_server_is_named_when_mlflow_was_imported(tmp_path: Path, package: str) -> None:
    [server] = found(tmp_path, environ=SERVER, packages=(package,))
    assert server == TrackerReference("mlflow", host="https://mlflow.example.org")


def test_a_server_is_not_named_when_mlflow_was_not_imported(tmp_path: Path) -> None:
    assert found(tmp_path, environ=SERVER, packages=("numpy", "mlflower")) == []


def test_the_address_needs_run_and_experiment(tmp_path: Path) -> None:
    run = {"MLFLOW_RUN_ID": ONE, "MLFLOW_EXPERIMENT_NAME": "digits"}
    [known] = found(tmp_path, environ=SERVER | run, packages=("mlflow",))
    assert (known.run_id, known.project, known.url) == (ONE, "digits", None)
    run["MLFLOW_EXPERIMENT_ID"] = "7"
    [known] = found(tmp_path, environ=SERVER | run, packages=("mlflow",))
    assert known.url == f"https://mlflow.example.org/#/experiments/7/runs/{ONE}"


@pytest.mark.parametrize("uri", ["databricks", "databricks://profile", "databricks-uc"])
def test_databricks_is_the_host_that_its_variable_names(tmp_path: Path, uri: str) -> None:
    environ = {
        "MLFLOW_TRACKING_URI": uri,
        "DATABRICKS_HOST": "https://dbc.cloud.databricks.com/",
        "MLFLOW_RUN_ID": ONE,
        "MLFLOW_EXPERIMENT_ID": "7",
    }
    [run] = found(tmp_path, environ=environ, packages=("mlflow-skinny",))
    assert run.url == f"https://dbc.cloud.databricks.com/ml/experiments/7/runs/{ONE}"
    del environ["DATABRICKS_HOST"]
    assert found(tmp_path, environ=environ, packages=("mlflow-skinny",)) == []
