"""`analyzers.experiment_trackers`: one switch for all analyzers, and one for each.

An analyzer's plugin may own the key of its name in this section, to say in its help what it does;
for the others there is one all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from roar_core.config.layers import Config
from roar_core.hookspecs import ConfigKey, ConfigSection

SWITCH = "analyzers.experiment_trackers"


def analyzer_switches(
    analyzers: Iterable[str], sections: Iterable[ConfigSection]
) -> list[ConfigSection]:
    """The sections of `analyzers`, the names of plugins, that `sections` do not hold already."""
    owned = {key.name for section in sections if section.name == SWITCH for key in section.keys}
    return [
        ConfigSection(SWITCH, (ConfigKey(name, True, f"Whether {name} takes part."),))
        for name in analyzers
        if name not in owned
    ]


def wanted_analyzers(config: Config) -> bool | Mapping[str, bool]:
    """Which analyzers take part: all, none, or by name; a name that is not there takes part."""
    for_all: bool | Mapping[str, bool] = config.get(SWITCH)
    named = config.section(SWITCH)
    if isinstance(for_all, bool):
        return named or for_all
    return {**for_all, **named}
