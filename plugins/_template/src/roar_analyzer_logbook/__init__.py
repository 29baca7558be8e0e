"""References to Logbook runs: a job that logs one leaves `logbook/run-<id>/` behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roar_core.hookspecs import Analyzer, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

RUN_FOLDER = re.compile(r"run-(?P<id>[a-z0-9]+)")


class LogbookAnalyzer:
    """Claims logbook/, and names the runs in it that a job wrote."""

    name = "logbook"
    title = "Logbook"
    patterns = ("logbook/",)

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        folders = {part for path in run.written for part in path.parts[:-1]}
        for match in filter(None, map(RUN_FOLDER.fullmatch, sorted(folders))):
            yield TrackerReference(tracker=self.name, run_id=match["id"])


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer. `config.section` holds the settings of this plugin's own section."""
    return [LogbookAnalyzer()]
