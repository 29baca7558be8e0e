"""Whether a new plugin's name is free here."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from roar_core.config.layers import CORE_SECTIONS
from roar_core.contracts import CONTRACTS, names_of
from roar_core.discovery import find_plugins
from roar_core.errors import UsageError
from roar_core.plugins import offered
from roar_core.scaffold.naming import PluginName


def refuse_taken(plugin: PluginName, commands: Collection[str], project: Path) -> None:
    """Raise UsageError when `plugin` would clash with roar (its `commands`) or with a plugin here.

    Of two plugins of one kind and name roar uses neither.
    """
    kind, name = plugin.kind, plugin.name
    another = "; choose another name"
    if name in CORE_SECTIONS:
        raise UsageError(f"[{name}] is a section of roar's own configuration{another}")
    if kind.group == "roar.commands" and name in commands:
        raise UsageError(f"{name!r} is a command of roar's own{another}")
    for taken, owner in _installed(kind.group, project):
        if taken == name:
            raise UsageError(f"{owner} has the {kind.word} {name!r} already{another}")


def _installed(group: str, project: Path) -> Iterator[tuple[str, str]]:
    """(name, distribution) of each plugin of the group, and of each object that one offers."""
    for ref in find_plugins((group,)):
        yield ref.name, ref.distribution
    if group in CONTRACTS:
        for offer in offered(group, project).offers:
            for name in names_of(offer.value, CONTRACTS[group]):
                yield name, offer.ref.distribution
