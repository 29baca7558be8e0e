"""Comet: an archive for each offline experiment, and nothing for one that went to the server.

    .cometml-runs/<key>.zip      experiment.json: offline_id, project_name, workspace

Read from comet_ml 3.58.8: `offline.py`, `offline_utils.py`, `_online.py`. An experiment that is
logged to the server leaves only temporary files; it is known where COMET_EXPERIMENT_KEY names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from roar_analyzer_trackers.addresses import address, joined
from roar_analyzer_trackers.archives import member
from roar_analyzer_trackers.files import json_object, text
from roar_analyzer_trackers.places import folders
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

_CLOUD = "https://www.comet.com"
# An experiment's key, which for an archive begins its name: `<key>.zip`, `<key>-<random>.zip`.
_ARCHIVE = r"(?P<key>[A-Za-z0-9]{32,50})(?:-\w+)?\.zip"
_DESCRIPTION_LIMIT = 64 << 10


class CometAnalyzer:
    """Claims .cometml-runs/, and names the experiments in it that this job wrote."""

    name = "comet"
    title = "Comet"

    def __init__(self, config: PluginConfig) -> None:
        own = folders(config, "COMET_OFFLINE_DIRECTORY")
        self.patterns = (".cometml-runs/", *own, ".comet.config")

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        keys = set()
        for path in sorted(run.written):
            if (match := re.fullmatch(_ARCHIVE, path.name)) and match["key"] not in keys:
                keys.add(match["key"])
                yield _archived(path, match["key"])
        key = text(run.environ.get("COMET_EXPERIMENT_KEY"))
        if key and key not in keys and _is_imported(run.packages):
            yield _online(key, run.environ)


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [CometAnalyzer(config)]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(CometAnalyzer.name, CometAnalyzer.title)


def _archived(path: PurePath, key: str) -> TrackerReference:
    about: Mapping[str, Any] = json_object(member(path, "experiment.json", _DESCRIPTION_LIMIT))
    return TrackerReference(
        CometAnalyzer.name,
        run_id=text(about.get("offline_id")) or key,
        project=text(about.get("project_name")),
        entity=text(about.get("workspace")),
    )


def _online(key: str, environ: Mapping[str, str]) -> TrackerReference:
    # The override is the address of the client's API: `https://host/clientlib/`.
    override = re.sub(r"/clientlib/?$", "", environ.get("COMET_URL_OVERRIDE") or _CLOUD)
    host = address(override)
    entity, project = text(environ.get("COMET_WORKSPACE")), text(environ.get("COMET_PROJECT_NAME"))
    return TrackerReference(
        CometAnalyzer.name,
        run_id=key,
        project=project,
        entity=entity,
        url=joined(host, entity, project, key),
        host=host,
    )


def _is_imported(packages: Mapping[str, str]) -> bool:
    return not packages.keys().isdisjoint(("comet_ml", "comet-ml"))
