"""What the objects of each plugin kind must have, and which of them can stand side by side. Pure.

Checked before core uses an object, so that a misfit is told by its plugin's name at the start, not
as an AttributeError in the middle of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from roar_core import hookspecs
from roar_core.discovery import PluginRef


class Contract(NamedTuple):
    """The hook of a group, the protocol of what it gives, and the attribute that names an object.

    `config` is the class of the hook's argument, None for hooks that take none.
    """

    hook: str
    protocol: type
    identity: str = "name"
    config: type | None = None


class Offer(NamedTuple):
    """An object a plugin handed over, and the plugin to blame for it."""

    ref: PluginRef
    value: Any


class Clash(NamedTuple):
    """Objects of one kind under one name; `owners` are the distributions they come from."""

    ref: PluginRef
    name: str
    owners: tuple[str, ...]


CONTRACTS = {
    "roar.tracers": Contract("roar_tracers", hookspecs.Tracer),
    "roar.analyzers": Contract("roar_analyzers", hookspecs.Analyzer, config=hookspecs.PluginConfig),
    "roar.storage_proxies": Contract(
        "roar_storage_proxies", hookspecs.StorageProxy, config=hookspecs.PluginConfig
    ),
    "roar.backends": Contract(
        "roar_backends", hookspecs.ExecutionBackend, config=hookspecs.PluginConfig
    ),
    "roar.transfers": Contract(
        "roar_transfers", hookspecs.Transfer, "schemes", hookspecs.PluginConfig
    ),
    "roar.composites": Contract("roar_composite_formats", hookspecs.CompositeFormat),
    "roar.exporters": Contract("roar_exporters", hookspecs.Exporter, "format"),
}


def misfit(candidate: Any, contract: Contract) -> str:
    """Why an object cannot be used as its kind, empty when it can."""
    protocol = contract.protocol
    members = {*vars(protocol), *protocol.__annotations__}
    lacks = [n for n in sorted(members) if n[0] != "_" and not hasattr(candidate, n)]
    if lacks:
        return f"lacks {', '.join(lacks)}, which every {protocol.__name__} has"
    names = names_of(candidate, contract)
    if not names or not all(isinstance(name, str) and name for name in names):
        return f"has no text as its {contract.identity}"
    if not isinstance(getattr(candidate, "priority", 0), int):
        return "has a priority that is no whole number"
    return ""


def without_clashes(
    offers: Sequence[Offer], contract: Contract
) -> tuple[tuple[Offer, ...], list[Clash]]:
    """Offers by priority, then name; of several under one name none, lest one win in silence."""
    named: dict[str, list[Offer]] = {}
    for offer in offers:
        for name in names_of(offer.value, contract):
            named.setdefault(name, []).append(offer)
    clashes: list[Clash] = []
    out: set[int] = set()
    for name, same in named.items():
        if len(same) > 1:
            out |= {id(offer.value) for offer in same}
            owners = sorted({offer.ref.distribution for offer in same})
            clashes.append(Clash(same[0].ref, name, tuple(owners)))
    kept = [offer for offer in offers if id(offer.value) not in out]
    kept.sort(key=lambda o: (getattr(o.value, "priority", 0), names_of(o.value, contract)))
    return tuple(kept), clashes


def names_of(candidate: Any, contract: Contract) -> tuple[str, ...]:
    """What an object is called: one name, or the several it gives, as a transfer its schemes."""
    name = getattr(candidate, contract.identity)
    return name if isinstance(name, tuple) else (name,)
