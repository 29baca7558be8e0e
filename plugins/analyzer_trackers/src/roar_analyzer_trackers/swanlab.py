"""SwanLab: `swanlog/run-<time>-<id>/` holds a record log.

    swanlog/run-20261125_144413-xmbzpcii/     the same offline and online
        run-xmbzpcii.swanlab                  a record log; `StartRecord` is its first record

Read from swanlab 0.10.3: `swanlab/proto/swanlab/{record,run}/v1/*.proto` as compiled, and for the
address `swanlab/sdk/cmd/init.py`. A folder does not say whether its run went to a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from roar_analyzer_trackers.addresses import address, joined
from roar_analyzer_trackers.files import folders_above, head, text
from roar_analyzer_trackers.places import folders
from roar_analyzer_trackers.record_log import Message, message, records
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

_RUN_FOLDER = r"run-\d{8}_\d{6}-(?P<id>.+)"
_TAG = b":SWL"
_RECORD_START = 10
_PROJECT, _WORKSPACE, _NAME, _ID = 1, 2, 4, 10
_LOG_START = 64 << 10
_CLOUD = "https://swanlab.cn"


class SwanlabAnalyzer:
    """Claims swanlog/, and names the runs in it that this job wrote."""

    name = "swanlab"
    title = "SwanLab"

    def __init__(self, config: PluginConfig) -> None:
        self.patterns = (
            *("swanlog/", ".swanlab/", "*.swanlab"),
            *folders(config, "SWANLAB_LOGDIR", "SWANLAB_LOG_DIR"),
            *folders(config, "SWANLAB_ROOT", "SWANLAB_SAVE_DIR"),
        )

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        for folder in sorted(folders_above(run.written)):
            match = re.fullmatch(_RUN_FOLDER, folder.name)
            # W&B calls its folders the same, and keeps them elsewhere.
            if match and not folder.parent.name.endswith("wandb"):
                yield _reference(folder, match["id"], run.environ)


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [SwanlabAnalyzer(config)]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(SwanlabAnalyzer.name, SwanlabAnalyzer.title)


def _reference(folder: PurePath, run_id: str, environ: Mapping[str, str]) -> TrackerReference:
    start = _start_record(folder / f"run-{run_id}.swanlab")
    run_id = text(start.get(_ID)) or run_id
    entity, project = text(start.get(_WORKSPACE)), text(start.get(_PROJECT))
    # `online` is the default, but `init(mode=…)` may say otherwise, and nothing on disk does.
    is_online = environ.get("SWANLAB_MODE") in ("online", "cloud")
    host = address(environ.get("SWANLAB_WEB_HOST", _CLOUD)) if is_online else None
    return TrackerReference(
        SwanlabAnalyzer.name,
        run_id=text(run_id),
        project=project,
        entity=entity,
        name=text(start.get(_NAME)),
        url=joined(host, f"@{entity}" if entity else None, project, "runs", text(run_id)),
        host=host,
    )


def _start_record(log: PurePath) -> Message:
    for record in records(head(log, _LOG_START), _TAG):
        if found := message(record).get(_RECORD_START):
            return message(found)
    return {}
