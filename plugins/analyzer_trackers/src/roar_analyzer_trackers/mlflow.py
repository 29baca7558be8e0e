"""MLflow: `mlflow.db`, `mlruns/<experiment>/<run>/`, or a server that leaves nothing behind.

    mlflow.db                              the default: SQLite, in the working directory
        runs(run_uuid, name, start_time in ms, experiment_id), experiments(experiment_id, name)
    mlruns/<experiment id>/<32 hex>/       artifacts/; with the older file store also meta.yaml
    mlruns/<experiment id>/meta.yaml       name: <experiment>
    mlartifacts/<experiment id>/<32 hex>/  the same, where a server keeps them

Read from mlflow 3.17.2: `store/tracking/dbmodels/models.py`, `store/tracking/file_store.py`, and
for addresses `tracking/_tracking_service/client.py`. That a job logs to a server is known by
MLFLOW_TRACKING_URI and by its having imported mlflow; its run only where MLFLOW_RUN_ID names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from roar_analyzer_trackers.addresses import address, joined
from roar_analyzer_trackers.databases import rows
from roar_analyzer_trackers.files import folders_above, head, json_object, text
from roar_analyzer_trackers.places import absolute, below, folder, folders, literal
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

_DEFAULT_DATABASE, _STORES = "mlflow.db", ("mlruns", "mlartifacts")
_EXPERIMENT, _RUN = r"\d{1,20}", r"[0-9a-f]{32}"
_META_LIMIT = 64 << 10
_RUNS = """
    SELECT run_uuid, name, experiment_id FROM runs
    WHERE start_time BETWEEN ? AND ? OR run_uuid = ?
    ORDER BY start_time
"""
_EXPERIMENTS = "SELECT experiment_id, name FROM experiments"


class MlflowAnalyzer:
    """Claims MLflow's database and folders, and names the runs that this job logged."""

    name = "mlflow"
    title = "MLflow"

    def __init__(self, config: PluginConfig) -> None:
        self._database = _database(config)
        databases = [_DEFAULT_DATABASE]
        if self._database:
            databases.append(literal(self._database))
        self.patterns = (
            *databases,
            *(f"{database}-{kind}" for database in databases for kind in ("journal", "wal", "shm")),
            *(f"{store}/" for store in _STORES),
            *below(config, "XDG_CONFIG_HOME", ".config", "mlflow/"),
            *_file_store(config),
            *folders(config, "MLFLOW_TRACKING_DIR"),
        )

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        found: dict[str | None, TrackerReference] = {}
        for path in sorted(run.written):
            if path.name == _DEFAULT_DATABASE or str(path) == self._database:
                found |= _by_database(path, run)
        # Also runs that began before the job, and those of a database that cannot be read.
        found = found | {k: v for k, v in _by_path(run.written).items() if k not in found}
        yield from found.values()
        if (server := _by_variables(run)) and server.run_id not in found:
            yield server


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [MlflowAnalyzer(config)]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(MlflowAnalyzer.name, MlflowAnalyzer.title)


def _database(config: PluginConfig) -> str | None:
    """The SQLite file that MLFLOW_TRACKING_URI names: three slashes, then its path."""
    uri = config.environ.get("MLFLOW_TRACKING_URI", "")
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?.*)?", uri)
    return absolute(match[1], config) if match else None


def _file_store(config: PluginConfig) -> Iterator[str]:
    """The pattern of the folder that MLFLOW_TRACKING_URI names, as a path or as `file:` address."""
    uri = config.environ.get("MLFLOW_TRACKING_URI", "")
    path = re.sub(r"^file:(//(localhost)?(?=/))?", "", uri)
    # `databricks` is no path, and what still has a scheme is none either.
    if "/" in path and ":" not in path:
        yield from folder(config, path)


def _by_path(written: frozenset[PurePath]) -> dict[str | None, TrackerReference]:
    """The runs in whose folders the job wrote, by id."""
    return {
        place.name: _in_file_store(place)
        for place in sorted(folders_above(written))
        if re.fullmatch(_RUN, place.name) and re.fullmatch(_EXPERIMENT, place.parent.name)
        if place.parents[1].name in _STORES or place / "meta.yaml" in written
    }


def _in_file_store(place: PurePath) -> TrackerReference:
    run, experiment = _meta(place / "meta.yaml"), _meta(place.parent / "meta.yaml")
    return TrackerReference(
        MlflowAnalyzer.name,
        run_id=place.name,
        name=text(run.get("run_name")),
        project=text(experiment.get("name")),
    )


def _meta(path: PurePath) -> Mapping[str, str]:
    """The plain texts on the top level of a `meta.yaml`, which MLflow writes one to a line."""
    lines = head(path, _META_LIMIT).decode("utf-8", "replace").splitlines()
    pairs = (line.partition(": ") for line in lines)
    return {key: _scalar(value) for key, colon, value in pairs if colon and key.isidentifier()}


def _scalar(value: str) -> str:
    """What a YAML scalar on one line means: plain, in '…' with '' for a quote, or in "…"."""
    quote = value[:1]
    if len(value) < 2 or quote not in ("'", '"') or value[-1] != quote:
        return "" if value == "null" else value
    if quote == "'":
        return value[1:-1].replace("''", "'")
    # But for `\xNN` the escapes that are used are JSON's.
    escaped = re.sub(r"(\\.)(?:(?<=x)([0-9A-Fa-f]{2}))?", _as_json, value)
    found = json_object(f'{{"value": {escaped}}}'.encode("utf-8", "replace")).get("value")
    return found if isinstance(found, str) else value[1:-1]


def _as_json(escape: re.Match[str]) -> str:
    return rf"\u00{escape[2]}" if escape[2] else escape[1]


def _by_database(path: PurePath, run: ObservedRun) -> dict[str | None, TrackerReference]:
    """The runs that began during the job, or that it was told to go on with."""
    window = (run.started_at_ns // 1_000_000, run.ended_at_ns // 1_000_000 + 1)
    resumed = run.environ.get("MLFLOW_RUN_ID", "")
    experiments = dict(rows(path, _EXPERIMENTS))
    found: dict[str | None, TrackerReference] = {}
    for run_id, name, experiment in rows(path, _RUNS, (*window, resumed)):
        if re.fullmatch(_RUN, str(run_id)):
            project = text(experiments.get(experiment))
            found[run_id] = TrackerReference(
                MlflowAnalyzer.name, run_id=run_id, name=text(name), project=project
            )
    return found


def _by_variables(run: ObservedRun) -> TrackerReference | None:
    """The server that the job was told to log to, if it imported mlflow at all."""
    # mlflow, mlflow-skinny, mlflow_tracing …
    if not any(f"{package}-".startswith(("mlflow-", "mlflow_")) for package in run.packages):
        return None
    uri = run.environ.get("MLFLOW_TRACKING_URI", "")
    is_databricks = uri.partition(":")[0] in ("databricks", "databricks-uc")
    host = address(run.environ.get("DATABRICKS_HOST") if is_databricks else uri)
    if host is None:
        return None
    run_id = text(run.environ.get("MLFLOW_RUN_ID"))
    experiment = text(run.environ.get("MLFLOW_EXPERIMENT_ID"))
    top = f"{host}/ml" if is_databricks else f"{host}/#"
    return TrackerReference(
        MlflowAnalyzer.name,
        run_id=run_id,
        project=text(run.environ.get("MLFLOW_EXPERIMENT_NAME")),
        url=joined(top, "experiments", experiment, "runs", run_id),
        host=host,
    )
