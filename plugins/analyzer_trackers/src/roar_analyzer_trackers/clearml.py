"""ClearML: `~/.clearml/`, where offline tasks are kept and every task's id is noted.

    ~/.clearml/.session.json               {"<class 'clearml.task.Task'>": {KEY: {time, id, project,
                                           name}}}; KEY begins "<API server>"; a day's tasks
    ~/.clearml/cache/offline/offline-<32 hex>/task.json     id, name, project_name; also as a .zip

Read from clearml 2.1.12: `task.py` (`__update_last_used_task_id`), `config/cache.py`,
`backend_api/session/session.py` (`get_app_server_host`). The session file is shared by all tasks of
a user, so that what counts is the time of an entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from roar_analyzer_trackers.addresses import address, joined
from roar_analyzer_trackers.files import folders_above, json_file, text
from roar_analyzer_trackers.places import at_home, folders, temporary
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

_SESSIONS = ".session.json"
_OFFLINE = r"(?P<id>offline-[0-9a-f]{32})(?:\.zip)?"


class ClearmlAnalyzer:
    """Claims ~/.clearml/, and names the tasks that this job began."""

    name = "clearml"
    title = "ClearML"

    def __init__(self, config: PluginConfig) -> None:
        self.patterns = (
            *at_home(config, ".clearml/", "clearml.conf"),
            *temporary(config, "clearml_*.lock", "clearml_cache/", ".clearml_agent*"),
            *folders(config, "CLEARML_CACHE_DIR", "TRAINS_CACHE_DIR"),
        )

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        yield from _offline(run.written)
        for path in sorted(run.written):
            if path.name == _SESSIONS:
                yield from _noted(path, run)


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [ClearmlAnalyzer(config)]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(ClearmlAnalyzer.name, ClearmlAnalyzer.title)


def _offline(written: frozenset[PurePath]) -> Iterator[TrackerReference]:
    found = {}
    for place in (*written, *folders_above(written)):
        if match := re.fullmatch(_OFFLINE, place.name):
            found[match["id"]] = place.with_suffix("")
    for task_id, folder in sorted(found.items()):
        task = json_file(folder / "task.json")
        yield TrackerReference(
            ClearmlAnalyzer.name,
            run_id=task_id,
            project=text(task.get("project_name")),
            name=text(task.get("name")),
        )


def _noted(sessions: PurePath, run: ObservedRun) -> Iterator[TrackerReference]:
    """The tasks on a server that were begun while the job ran."""
    began, ended = run.started_at_ns / 1e9, run.ended_at_ns / 1e9
    for key, task in _tasks(json_file(sessions)):
        task_id, time = text(task.get("id")), task.get("time")
        is_ours = isinstance(time, int | float) and began <= time <= ended
        if not task_id or not is_ours or task_id.startswith("offline-"):
            continue
        host = _web_host(key, run.environ) if run.environ else None
        yield TrackerReference(
            ClearmlAnalyzer.name,
            run_id=task_id,
            project=text(task.get("project")),
            name=text(task.get("name")),
            # The client itself writes `*` where it does not know the project's id.
            url=joined(host, "projects", "*", "experiments", task_id, "output", "log"),
            host=host,
        )


def _tasks(sessions: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tasks in sessions.values():
        for key, task in tasks.items() if isinstance(tasks, dict) else ():
            if isinstance(task, dict):
                yield key, task


def _web_host(key: str, environ: Mapping[str, str]) -> str | None:
    """Where tasks are looked at: as the variable says, or derived from the API server's address."""
    if environ.get("CLEARML_WEB_HOST"):
        return address(environ["CLEARML_WEB_HOST"])
    match = re.match("<(https?://[^>]+)>", key)
    api = address(match[1]) if match else None
    if api is None:
        return None
    if "://api." in api:
        return api.replace("://api.", "://app.", 1)
    return api.replace(":8008", ":8080", 1) if ":8008" in api else None
