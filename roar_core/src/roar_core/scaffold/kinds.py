"""The kinds of plugin there is a template for, and how each is called in its package."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One row of the table.

    `word` is what `roar plugins new` calls it, `prefix` the part between `roar-` and the plugin's
    name, `contents` completes "a plugin that has …", `attribute` follows the module in the entry
    point, and `requires` is what the package imports besides roar_core, `modules` its files
    beside `__init__.py`.
    """

    word: str
    group: str
    prefix: str
    description: str
    attribute: str = ""
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


KINDS = (
    Kind("tracer", "roar.tracers", "tracer", "Commands observed by $title for roar"),
    Kind(
        "analyzer", "roar.analyzers", "analyzer", "References to $title runs in what roar records"
    ),
    Kind(
        "storage-proxy",
        "roar.storage_proxies",
        "proxy",
        "Objects of $title in what roar records",
        requires=("blake3>=1.0",),
        modules=("server.py",),
    ),
    Kind(
        "backend",
        "roar.backends",
        "backend",
        "Tasks of $title in what roar records",
        modules=("task.py",),
    ),
    Kind("composite", "roar.composites", "composite", "Datasets of $title as one artifact of roar"),
    Kind("exporter", "roar.exporters", "exporter", "Lineage as $title for roar"),
    Kind("transfer", "roar.transfers", "transfer", "URLs of $title for roar get and roar put"),
    Kind(
        "command",
        "roar.commands",
        "command",
        "The command `roar $name`",
        attribute=":command",
        requires=("blake3>=1.0", "click>=8.1.7"),
    ),
)


def kind_called(word: str) -> Kind:
    """The kind of this `word`; KeyError when there is none."""
    return {kind.word: kind for kind in KINDS}[word]
