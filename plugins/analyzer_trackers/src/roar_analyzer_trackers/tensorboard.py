"""TensorBoard: event files, in whatever folder a writer was told.

    <log dir>/events.out.tfevents.<seconds>.<host>…    of TensorFlow, PyTorch, tensorboardX

Neither a folder called `runs/` nor one called `logs/` says anything. TensorBoard knows a run by the
folder of its event files, below the one it was started with; no server and no id are known.
"""

from __future__ import annotations

from collections.abc import Iterator

from roar_analyzer_trackers.files import text
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference


class TensorboardAnalyzer:
    """Claims event files, and names the folders in which this job wrote them."""

    name = "tensorboard"
    title = "TensorBoard"
    patterns = ("*.tfevents.*", "*.tfevents")

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        for folder in sorted({path.parent for path in run.written if ".tfevents." in path.name}):
            is_inside = folder.is_relative_to(run.project)
            shown = folder.relative_to(run.project) if is_inside else folder
            yield TrackerReference(self.name, run_id=text(str(shown)))


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [TensorboardAnalyzer()]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(TensorboardAnalyzer.name, TensorboardAnalyzer.title)
