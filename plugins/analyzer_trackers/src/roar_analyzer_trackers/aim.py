"""Aim: `.aim/`, a repository of RocksDB folders, one for each run.

    .aim/{meta,seqs}/chunks/<hash>/      the run's own data; the hash is its id
    .aim/run_metadata.sqlite             run(hash, name, experiment_id), experiment(id, name)

Read from aim 3.29.1: `aim/storage/structured/sql_engine/models.py`. A repository is shared by many
jobs: the runs of this one are those whose own folders it wrote. Nothing is known of a remote one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from roar_analyzer_trackers.databases import rows
from roar_analyzer_trackers.files import folders_above, text
from roar_analyzer_trackers.places import absolute, literal
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

_HASH = r"[0-9a-f]{24}"
_RUN = """
    SELECT run.name, experiment.name
    FROM run LEFT JOIN experiment ON experiment.id = run.experiment_id WHERE run.hash = ?
"""


class AimAnalyzer:
    """Claims .aim/, and names the runs in it that this job wrote."""

    name = "aim"
    title = "Aim"

    def __init__(self, config: PluginConfig) -> None:
        repository = config.environ.get("AIM_REPO", "")
        # `aim://host` is a server. A repository is the folder that holds `.aim`.
        own = f"{literal(absolute(repository, config))}/.aim/" if repository else ".aim/"
        self.patterns = tuple(dict.fromkeys((".aim/", own)))

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        runs = {
            (place.parents[2], place.name)
            for place in folders_above(run.written)
            if place.parent.name == "chunks" and re.fullmatch(_HASH, place.name)
        }
        for repository, run_hash in sorted(runs):
            yield _reference(repository / "run_metadata.sqlite", run_hash)


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [AimAnalyzer(config)]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(AimAnalyzer.name, AimAnalyzer.title)


def _reference(database: PurePath, run_hash: str) -> TrackerReference:
    found = rows(database, _RUN, (run_hash,))
    name, experiment = found[0] if found else (None, None)
    return TrackerReference(
        AimAnalyzer.name, run_id=run_hash, project=text(experiment), name=text(name)
    )
