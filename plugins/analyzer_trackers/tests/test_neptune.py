"""Which Neptune runs are a job's, also when nothing of them is left."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path, PurePath

from tracker_layouts import Written, neptune_run, neptune_scale_run, written

from roar_analyzer_trackers.neptune import NeptuneAnalyzer
from roar_core.hookspecs import ObservedRun, PluginConfig
from roar_core.model.tracker import TrackerReference
from roar_core.testing.projects import ProjectUnderTest

UUID = "54ac4896-2cc4-4358-9cb3-deaa32570a07"
TOKEN = base64.b64encode(
    json.dumps({"api_address": "https://n.lan", "api_url": "https://n.lan/", "key": "?"}).encode()
).decode()
PROJECT = {"NEPTUNE_PROJECT": "ada/digits", "NEPTUNE_API_TOKEN": TOKEN}


def found(written: Written, environ: Mapping[str, str] | None = None) -> list[TrackerReference]:
    run = ObservedRun(Path("/p"), Path("/p"), written=written, environ=environ or {})
    return list(NeptuneAnalyzer(PluginConfig(Path("/p"), {}, run.environ)).references(run))


def test_an_offline_run_of_1_has_no_server(tmp_path: Path) -> None:
    [run] = found(neptune_run(tmp_path, UUID), PROJECT)
    assert run == TrackerReference("neptune", UUID, project="digits", entity="ada")


def test_an_asynchronous_run_of_1_has_the_server_that_its_token_is_for(tmp_path: Path) -> None:
    [run] = found(neptune_run(tmp_path, UUID, mode="async"), PROJECT)
    assert (run.run_id, run.host, run.url) == (UUID, "https://n.lan", None)


def test_the_token_itself_is_nowhere(tmp_path: Path) -> None:
    references = found(neptune_run(tmp_path, UUID, mode="async"), PROJECT)
    assert TOKEN not in repr(references)


def test_the_layout_of_older_clients(tmp_path: Path) -> None:
    log = tmp_path / ".neptune" / "async" / f"run__{UUID}" / "exec-0-2026-11-25" / "data-1.log"
    assert [run.run_id for run in found(written({log: ""}))] == [UUID]


def test_a_model_is_no_run(tmp_path: Path) -> None:
    log = tmp_path / ".neptune" / "async" / f"model__{UUID}__1__abcdefgh" / "data-1.log"
    assert found(written({log: ""})) == []


def test_a_run_of_scale_that_is_left_is_not_on_the_server_for_sure(tmp_path: Path) -> None:
    [run] = found(neptune_scale_run(tmp_path, "ada/digits", "my-run"), PROJECT)
    assert (run.entity, run.project, run.run_id) == ("ada", "digits", "my-run")
    assert (run.url, run.host) == (None, None)


def gone(run_id: str) -> Written:
    folder = PurePath(f"/p/.neptune/ada_digits_{run_id}_1795617812709437184")
    return frozenset({folder / "run_operations.sqlite3"})


def test_a_run_of_scale_that_is_gone_has_been_uploaded() -> None:
    [run] = found(gone("my-run"), PROJECT)
    assert run.run_id == "my-run"
    assert run.url == "https://n.lan/ada/digits/-/run/?customId=my-run"


def test_an_id_that_may_have_been_another_has_no_address() -> None:
    [run] = found(gone("my_run"), PROJECT)
    assert (run.run_id, run.url) == ("my_run", None)


def test_without_the_project_the_folder_s_name_is_all_there_is() -> None:
    [run] = found(gone("my-run"))
    assert (run.run_id, run.name) == (None, "ada_digits_my-run_1795617812709437184")


def test_a_run_that_is_uploaded_and_removed_is_recorded(project: ProjectUnderTest) -> None:
    folder = ".neptune/ada_digits_my-run_1795617812709437184"
    upload = f"mkdir -p {folder} && echo 1 > {folder}/run_operations.sqlite3 && rm -r .neptune"
    result = project.run("sh", "-c", upload, environ=PROJECT)
    assert result.job is not None
    assert [run["run_id"] for run in result.job["trackers"]] == ["my-run"]
