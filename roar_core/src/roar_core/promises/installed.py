"""Run the promises of its kind on an installed plugin, whatever its code may raise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from roar_core.contracts import CONTRACTS, Offer, names_of
from roar_core.discovery import KINDS, PluginRef, find_plugins
from roar_core.errors import PluginError
from roar_core.plugins import (
    Plugin,
    Section,
    call_object,
    capability_answers,
    load,
    sections_of,
    usable_plugins,
)
from roar_core.promises import (
    analyzer,
    backend,
    command,
    composite,
    exporter,
    hooks,
    importing,
    naming,
    storage_proxy,
    tracer,
    transfer,
)
from roar_core.promises.asking import Answer, ask, raised
from roar_core.promises.promise import Complaint, Promise
from roar_core.promises.report import Finding, Report

# Of each kind, what its objects promise besides fitting their protocol and having a name.
BY_GROUP: dict[str, tuple[Promise[Any], ...]] = {
    "roar.tracers": tracer.PROMISES,
    "roar.analyzers": analyzer.PROMISES,
    "roar.storage_proxies": storage_proxy.PROMISES,
    "roar.backends": backend.PROMISES,
    "roar.transfers": transfer.PROMISES,
    "roar.composites": composite.PROMISES,
    "roar.exporters": exporter.PROMISES,
}


class Surroundings(NamedTuple):
    """What plugins are asked in: a project, its settings, and the names of roar's own commands."""

    project: Path
    section: Section
    commands: Collection[str]


def examine(refs: Iterable[PluginRef], around: Surroundings) -> list[Report]:
    """A report on each of `refs`, which need not be all that are installed."""
    wanted = set(refs)
    reports = []
    for group in KINDS:
        loaded = load(group, [ref for ref in find_plugins() if ref.group == group])
        usable = usable_plugins(loaded) if group in CONTRACTS else []
        answers = {plugin.ref: ask(plugin, around.project, around.section) for plugin in usable}
        reports += [
            _report(plugin, answers, around) for plugin in loaded.plugins if plugin.ref in wanted
        ]
    reports += [
        Report(Plugin(ref, "broken"), None, (_unknown_group(ref),))
        for ref in sorted(wanted)
        if ref.group not in KINDS
    ]
    return reports


def _report(plugin: Plugin, answers: Mapping[PluginRef, Answer], around: Surroundings) -> Report:
    ref = plugin.ref
    if plugin.state == "disabled":
        words = Complaint(f"it was not looked at: disabled {plugin.reason}", "unset the variable")
        return Report(plugin, None, (Finding("", "it is in use", True, (words,)),))
    fresh = importing.import_afresh(ref.value.partition(":")[0].strip())
    wrong = () if plugin.state == "ok" else (_unusable(plugin, fresh),)
    findings = [Finding("", "roar can load it", False, wrong)]
    findings += _kept(ref, "", importing.PROMISES, fresh)
    if plugin.state == "ok" and ref.group == "roar.commands":
        candidate = command.OfferedCommand(ref.name, plugin.hooks, around.commands)
        findings += _kept(ref, "", command.PROMISES, candidate)
    elif plugin.state == "ok":
        findings += _of_hooks(plugin, answers[ref])
        everybody = tuple(offer for answer in answers.values() for offer in answer.objects)
        for offer in answers[ref].objects:
            findings += _of_object(offer, everybody)
    return Report(plugin, fresh.took_ms, tuple(findings))


def _of_hooks(plugin: Plugin, answer: Answer) -> Iterator[Finding]:
    ref = plugin.ref
    kind = CONTRACTS[ref.group].protocol.__name__
    yield Finding(
        "", f"its hook offers {kind} objects and does nothing else", False, answer.complaints
    )
    nothing = Complaint(
        "it offers nothing here", "look at the settings that hold: roar config list"
    )
    yield Finding("", "it offers something", True, () if answer.objects else (nothing,))
    asked = "it answers when it is asked for its configuration and capabilities"
    try:
        sections = sections_of(plugin)
        answers = capability_answers(plugin)
    except PluginError as error:
        yield Finding("", asked, False, (raised(error, ref),))
        return
    yield Finding("", asked, False, ())
    yield from _kept(ref, "", hooks.SECTION_PROMISES, sections)
    yield from _kept(ref, "", (hooks.capabilities_are_booleans,), answers)


def _of_object(offer: Offer, everybody: tuple[Offer, ...]) -> Iterator[Finding]:
    contract = CONTRACTS[offer.ref.group]
    about = ", ".join(names_of(offer.value, contract))
    yield from _kept(offer.ref, about, naming.PROMISES, naming.Offered(offer, contract, everybody))
    yield from _kept(offer.ref, about, BY_GROUP[offer.ref.group], offer.value)


def _kept(
    ref: PluginRef, about: str, promises: Iterable[Promise[Any]], candidate: Any
) -> Iterator[Finding]:
    for promise in promises:
        complaints: Callable[[Any], list[Complaint]] = promise.complaints
        try:
            found = call_object(ref, f"being checked: {promise.text}", complaints, candidate)
        except PluginError as error:
            found = [raised(error, ref)]
        yield Finding(about, promise.text, promise.is_remark, tuple(found))


def _unusable(plugin: Plugin, fresh: importing.FreshImport) -> Complaint:
    contract = CONTRACTS.get(plugin.ref.group)
    if plugin.state == "duplicate":
        return Complaint(plugin.reason, "roar uses neither")
    if plugin.state == "too new" or contract is None:
        return Complaint(plugin.reason, "docs/plugins.md says what a plugin is made of")
    if fresh.took_ms is None:
        return Complaint(plugin.reason, f"see where: python -c 'import {fresh.module}'")
    return Complaint(
        plugin.reason,
        f"docs/hooks.md has {contract.hook}, which is decorated with @hookimpl, and its arguments",
    )


def _unknown_group(ref: PluginRef) -> Finding:
    known = ", ".join(KINDS)
    words = Complaint(
        f"roar knows no plugin group {ref.group!r}", f"advertise it in one of {known}"
    )
    return Finding("", "its entry-point group is one of roar's", False, (words,))
