"""trackio: one SQLite database for each project, below Hugging Face's home.

    ~/.cache/huggingface/trackio/<project>.db      or $HF_HOME/trackio/, or $TRACKIO_DIR/
        configs(run_id, run_name, created_at), metrics(run_id, run_name, timestamp)
        project_metadata(key, value): space_id, once it is synced to a Space

Read from trackio 0.43.0: `trackio/sqlite_storage.py`, `trackio/utils.py`. The database is shared by
all runs of a project: the job's own are those created in its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from roar_analyzer_trackers.databases import rows
from roar_analyzer_trackers.files import text
from roar_analyzer_trackers.places import below, folders
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

# Times are ISO 8601 in UTC with microseconds, so that they compare as texts.
_RUNS = """
    SELECT run_id, run_name FROM configs WHERE created_at BETWEEN ? AND ? ORDER BY created_at
"""
_SPACE = "SELECT value FROM project_metadata WHERE key = 'space_id'"
_SPACES = "https://huggingface.co/spaces"


class TrackioAnalyzer:
    """Claims trackio's folder, and names the runs that this job created."""

    name = "trackio"
    title = "trackio"

    def __init__(self, config: PluginConfig) -> None:
        self.patterns = (
            *below(config, "XDG_CACHE_HOME", ".cache", "huggingface/trackio/"),
            *below(config, "HF_HOME", ".cache/huggingface", "trackio/"),
            *folders(config, "TRACKIO_DIR"),
        )

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        for path in sorted(run.written):
            if path.suffix == ".db":
                yield from _in_database(path, run)


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [TrackioAnalyzer(config)]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(TrackioAnalyzer.name, TrackioAnalyzer.title)


def _in_database(database: PurePath, run: ObservedRun) -> Iterator[TrackerReference]:
    window = (_iso(run.started_at_ns), _iso(run.ended_at_ns + 1_000_000))
    space = next((text(value) for (value,) in rows(database, _SPACE)), None)
    for run_id, name in rows(database, _RUNS, window):
        yield TrackerReference(
            TrackioAnalyzer.name,
            run_id=text(run_id),
            project=text(database.stem),
            entity=space.partition("/")[0] if space else None,
            name=text(name),
            host=f"{_SPACES}/{space}" if space else None,
        )


def _iso(time_ns: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="microseconds")
