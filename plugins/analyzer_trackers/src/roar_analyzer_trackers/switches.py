"""The setting that switches one tracker off: `analyzers.experiment_trackers.NAME`."""

from __future__ import annotations

from roar_core.hookspecs import ConfigKey, ConfigSection


def switch(name: str, title: str) -> list[ConfigSection]:
    """The section of which this tracker's module owns one key."""
    words = f"Leave {title}'s own files out of lineage and name the {title} runs that a job logged."
    return [ConfigSection("analyzers.experiment_trackers", (ConfigKey(name, True, words),))]
