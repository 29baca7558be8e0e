"""Weights & Biases: `wandb/run-<time>-<id>/`, or `offline-run-…`, and what is beside it.

    wandb/run-20261125_144201-n3givgxm/        or .wandb/, or $WANDB_DIR/wandb/
        run-n3givgxm.wandb                     a record log; `RunRecord` near its start
        run-n3givgxm.wandb.synced              written by `wandb sync` of an offline run
        logs/debug.log                         ends "finishing run [entity/]project/id"
    wandb/latest-run, wandb/debug.log          links, to whatever run came last: never looked at

Read from wandb 0.31.0: `wandb/sdk/wandb_settings.py` (folders, `run_url`), `wandb/util.py`
(`api_to_app_url`), `wandb/sdk/lib/{urls,settings_file}.py`, `wandb_internal.proto`. The entity
that a server chose is written only when the run finishes, and the server's address into no file of
the run: it is what the command's variables and settings files say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from roar_analyzer_trackers.addresses import address, joined
from roar_analyzer_trackers.files import folders_above, head, is_file, tail, text
from roar_analyzer_trackers.places import folders, temporary
from roar_analyzer_trackers.record_log import Message, message, records
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

_FOLDERS = ("wandb", ".wandb")
_RUN_FOLDER = r"(?P<mode>offline-)?run-\d{8}_\d{6}-(?P<id>.+)"
_LOG = r"/run-[^/]+\.wandb\Z"
_FINISHING = rb"finishing run (?:([^/\r\n]+)/)?([^/\r\n]+)/([^/\r\n]+)\r?\n"
_TAG = b":W&B"
# Field numbers of wandb_internal.proto.
_RECORD_RUN = 17
_RUN_ID, _ENTITY, _PROJECT, _DISPLAY_NAME = 1, 2, 3, 8
# The run's record is among the first ten; a log of ten gigabytes is not read for it.
_LOG_START, _LOG_END = 256 << 10, 64 << 10

_SETTINGS_LIMIT = 64 << 10

# The cloud's API. From 0.31 on a client that is not told otherwise calls it by its owner's name.
_CLOUD_API = "https://api.wandb.ai"
_FORGE_VERSION = (0, 31)
_FORGE_API, _FORGE_APP = "https://api.forge.coreweave.com", "https://forge.coreweave.com/wandb"


class WandbAnalyzer:
    """Claims wandb/, and names the runs in it that this job wrote."""

    name = "wandb"
    title = "W&B"

    def __init__(self, config: PluginConfig) -> None:
        self.patterns = (
            *("wandb/", ".wandb/", "*.wandb", "*.wandb.synced"),
            *("tmp*wandb-media/", "tmp*wandb-artifacts/"),
            *temporary(config, "tmp*/port-*.txt"),
            *folders(config, "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"),
        )

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        logs = {p.parent: p for p in run.written if re.search(_LOG, os.fspath(p))}
        folders = _run_folders(run.written, logs)
        references = [_reference(folder, logs.get(folder), run) for folder in folders]
        found = {(reference.run_id, reference.url): reference for reference in references}
        # A run that was killed and resumed in the same job has a folder for each time.
        whole = {reference.run_id for reference in references if reference.url}
        for reference in found.values():
            if reference.url or reference.run_id not in whole:
                yield reference


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [WandbAnalyzer(config)]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(WandbAnalyzer.name, WandbAnalyzer.title)


def _run_folders(written: frozenset[PurePath], logs: Mapping[PurePath, PurePath]) -> list[PurePath]:
    """The folders of runs: in one called like W&B's, or with a log of W&B's in them."""
    return sorted(
        folder
        for folder in folders_above(written)
        if folder.parent.name in _FOLDERS or folder in logs
        if re.fullmatch(_RUN_FOLDER, folder.name)
    )


def _reference(folder: PurePath, log: PurePath | None, run: ObservedRun) -> TrackerReference:
    match = re.fullmatch(_RUN_FOLDER, folder.name)
    assert match is not None
    # A folder's name may go on after the id; the log's own does not.
    run_id = log.stem.removeprefix("run-") if log else match["id"]
    log = folder / f"run-{run_id}.wandb"
    recorded = _run_record(log)
    entity, project = _finished_as(folder, run_id)
    entity = entity or text(recorded.get(_ENTITY))
    project = project or text(recorded.get(_PROJECT))
    # Offline, the run is nowhere but here, until it is synced.
    is_on_server = not match["mode"] or is_file(log.with_suffix(".wandb.synced"))
    host = _host(folder, run) if is_on_server else None
    return TrackerReference(
        tracker=WandbAnalyzer.name,
        run_id=text(run_id),
        project=project,
        entity=entity,
        name=text(recorded.get(_DISPLAY_NAME)),
        url=joined(host, entity, project, "runs", text(run_id)),
        host=host,
    )


def _run_record(log: PurePath) -> Message:
    for record in records(head(log, _LOG_START), _TAG):
        if found := message(record).get(_RECORD_RUN):
            return message(found)
    return {}


def _finished_as(folder: PurePath, run_id: str) -> tuple[str | None, str | None]:
    """Entity and project under which the run was finished; both None when it was killed."""
    content = tail(folder / "logs" / "debug.log", _LOG_END)
    for entity, project, finished in reversed(re.findall(_FINISHING, content)):
        if finished.decode("utf-8", "replace") == run_id:
            return text(entity), text(project)
    return None, None


def _host(folder: PurePath, run: ObservedRun) -> str | None:
    """Where the run is looked at; None where the command's variables are not known."""
    environ = run.environ
    if not environ:
        return None
    if environ.get("WANDB_APP_URL"):
        return address(environ["WANDB_APP_URL"])
    base = (
        environ.get("WANDB_BASE_URL")
        or _setting(folder.parent / "settings", "base_url")
        or _setting(_settings_file(environ), "base_url")
        or (_FORGE_API if _is_forge(run.packages.get("wandb", "")) else _CLOUD_API)
    )
    return _app(address(base))


def _is_forge(version: str) -> bool:
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    return numbers >= _FORGE_VERSION


def _settings_file(environ: Mapping[str, str]) -> PurePath:
    if environ.get("WANDB_CONFIG_DIR"):
        return PurePath(environ["WANDB_CONFIG_DIR"]) / "settings"
    return PurePath(environ.get("HOME", "/")) / ".config" / "wandb" / "settings"


def _setting(path: PurePath, name: str) -> str | None:
    """A setting in the section `default` of an ini file."""
    import configparser

    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(head(path, _SETTINGS_LIMIT).decode("utf-8", "replace"))
    except configparser.Error:
        return None
    return parser.get("default", name, fallback=None)


def _app(base: str | None) -> str | None:
    """The address people look at, from that of the API (wandb/util.py, `api_to_app_url`)."""
    if base == _FORGE_API:
        return _FORGE_APP
    if base and "://api.wandb." in base:
        return base.replace("://api.", "://", 1)
    return base and base.replace("://api.", "://app.", 1)
