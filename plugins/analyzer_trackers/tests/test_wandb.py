"""What is read of a W&B run, and what address comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath

import pytest
from tracker_layouts import Written, wandb_run, written

from roar_analyzer_trackers.wandb import WandbAnalyzer
from roar_core.hookspecs import ObservedRun, PluginConfig
from roar_core.model.tracker import TrackerReference

ENVIRON = {"HOME": "/home/ada"}


def found(
    written: Written,
    environ: Mapping[str, str] = ENVIRON,
    packages: Mapping[str, str] | None = None,
) -> list[TrackerReference]:
    run = ObservedRun(
        Path("/p"), Path("/p"), written=written, environ=environ, packages=packages or {}
    )
    return list(WandbAnalyzer(PluginConfig(Path("/p"), {}, environ)).references(run))


def test_an_offline_run_is_known_by_its_record(tmp_path: Path) -> None:
    [run] = found(wandb_run(tmp_path, mode="offline-run"))
    assert run == TrackerReference("wandb", "n3givgxm", project="digits", name="first")


def test_an_offline_run_of_a_known_entity_is_on_no_server_until_it_is_synced(
    tmp_path: Path,
) -> None:
    files = wandb_run(tmp_path, mode="offline-run", record_entity="ada")
    [run] = found(files)
    assert (run.entity, run.url, run.host) == ("ada", None, None)
    [log] = [path for path in files if path.suffix == ".wandb"]
    synced = written({Path(f"{log}.synced"): ""})
    assert found(synced)[0].url == "https://wandb.ai/ada/digits/runs/n3givgxm"


def test_the_entity_that_the_server_chose_is_in_the_log(tmp_path: Path) -> None:
    [run] = found(wandb_run(tmp_path, finished_as="ada/digits/n3givgxm"))
    assert run.url == "https://wandb.ai/ada/digits/runs/n3givgxm"
    assert run.host == "https://wandb.ai"


def test_another_run_s_line_in_the_log_is_not_taken(tmp_path: Path) -> None:
    [run] = found(wandb_run(tmp_path, finished_as="eve/other/zzzzzzzz"))
    assert (run.entity, run.project) == (None, "digits")


def test_a_run_without_record_and_without_last_line_keeps_its_id(tmp_path: Path) -> None:
    files = wandb_run(tmp_path)
    for path in files:
        Path(path).write_bytes(b":W&B\xe1\xbe\x00")  # what a killed client had time for
    [run] = found(files)
    assert run == TrackerReference("wandb", "n3givgxm", host="https://wandb.ai")


def test_a_run_that_is_named_only_by_its_folder(tmp_path: Path) -> None:
    """Its files are gone: `wandb sync --clean`, or another's hand."""
    folder = tmp_path / "wandb" / "run-20261125_144201-n3givgxm" / "files" / "output.log"
    assert [run.run_id for run in found(frozenset({folder}))] == ["n3givgxm"]


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({}, "https://wandb.ai"),
        ({"WANDB_BASE_URL": "https://api.wandb.ai"}, "https://wandb.ai"),
        ({"WANDB_BASE_URL": "https://api.wandb.ai/"}, "https://wandb.ai"),
        ({"WANDB_BASE_URL": "http://wandb.lan:8080"}, "http://wandb.lan:8080"),
        ({"WANDB_BASE_URL": "https://api.wandb.lan"}, "https://wandb.lan"),
        ({"WANDB_BASE_URL": "https://api.lab.example.org"}, "https://app.lab.example.org"),
        ({"WANDB_BASE_URL": "https://ada:key@wandb.lan/w?token=key"}, "https://wandb.lan/w"),
        ({"WANDB_BASE_URL": "https://a.lan", "WANDB_APP_URL": "https://b.lan"}, "https://b.lan"),
        (
            {"WANDB_BASE_URL": "https://api.forge.coreweave.com"},
            "https://forge.coreweave.com/wandb",
        ),
        ({"WANDB_BASE_URL": "no address"}, None),
    ],
)
def test_the_server_is_the_one_that_the_job_used(
    tmp_path: Path, environ: Mapping[str, str], host: str | None
) -> None:
    files = wandb_run(tmp_path, finished_as="ada/digits/n3givgxm")
    [run] = found(files, ENVIRON | environ)
    assert run.host == host
    assert run.url == (f"{host}/ada/digits/runs/n3givgxm" if host else None)


def test_settings_files_name_the_server_the_nearer_one_first(tmp_path: Path) -> None:
    files = wandb_run(tmp_path, finished_as="ada/digits/n3givgxm")
    own = tmp_path / "home" / ".config" / "wandb" / "settings"
    written({own: "[default]\nbase_url = http://own.lan\nmode = online\n"})
    environ = {"HOME": str(tmp_path / "home")}
    assert found(files, environ)[0].host == "http://own.lan"
    written({tmp_path / "wandb" / "settings": "[default]\nbase_url: http://near.lan\n"})
    assert found(files, environ)[0].host == "http://near.lan"
    assert (
        found(files, environ | {"WANDB_BASE_URL": "http://said.lan"})[0].host == "http://said.lan"
    )
    elsewhere = written({tmp_path / "config" / "settings": "[default]\nbase_url=http://c.lan"})
    (tmp_path / "wandb" / "settings").write_text("no ini file at all")
    environ["WANDB_CONFIG_DIR"] = str(next(iter(elsewhere)).parent)
    assert found(files, environ)[0].host == "http://c.lan"


def test_without_the_command_s_variables_the_server_is_unknown(tmp_path: Path) -> None:
    [run] = found(wandb_run(tmp_path, finished_as="ada/digits/n3givgxm"), environ={})
    assert (run.entity, run.run_id, run.host, run.url) == ("ada", "n3givgxm", None, None)


def test_a_client_of_0_31_calls_the_cloud_by_its_owner_s_name(tmp_path: Path) -> None:
    files = wandb_run(tmp_path, finished_as="ada/digits/n3givgxm")
    hosts = {
        version: found(files, packages={"wandb": version})[0].host
        for version in ("0.9.7", "0.30.0", "0.31.0", "1.0.0rc1")
    }
    old, new = "https://wandb.ai", "https://forge.coreweave.com/wandb"
    assert hosts == {"0.9.7": old, "0.30.0": old, "0.31.0": new, "1.0.0rc1": new}


def test_names_are_quoted_in_the_address(tmp_path: Path) -> None:
    [run] = found(wandb_run(tmp_path, finished_as="team x/a?b#c/n3givgxm"))
    assert run.url == "https://wandb.ai/team%20x/a%3Fb%23c/runs/n3givgxm"


def test_a_run_resumed_in_the_same_job_is_one(tmp_path: Path) -> None:
    killed = wandb_run(tmp_path)
    resumed = wandb_run(tmp_path, time="20261125_150000", finished_as="ada/digits/n3givgxm")
    assert [run.entity for run in found(killed | resumed)] == ["ada"]


def test_only_the_runs_that_this_job_wrote(tmp_path: Path) -> None:
    wandb_run(tmp_path, "earlier")
    mine = wandb_run(tmp_path, "mine")
    (tmp_path / "wandb" / "latest-run").symlink_to("run-20261125_144201-earlier")
    assert [run.run_id for run in found(mine)] == ["mine"]


def test_a_folder_of_that_form_elsewhere_is_no_run() -> None:
    elsewhere = PurePath("/p/swanlog/run-20261125_144413-xmbzpcii/files/config.yaml")
    assert found(frozenset({elsewhere})) == []
