"""Load the plugins of one kind, each on its own, and call what they offer.

This is the only module that catches whatever a stranger's code raises. A plugin that cannot be
imported, declares hooks that do not fit, asks for a newer API or shares its name with another is
left out with a sentence; the others, and the user's command, go on.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Literal, NamedTuple, TypeVar

import pluggy

from roar_core import hookspecs
from roar_core.contracts import CONTRACTS, Offer, misfit, without_clashes
from roar_core.discovery import (
    DISABLE,
    KINDS,
    PluginRef,
    disabled_names,
    find_plugins,
    is_disabled,
)
from roar_core.errors import PluginError, RoarError
from roar_core.hookspecs import ConfigKey, ConfigSection, Tracer

State = Literal["ok", "disabled", "broken", "too new", "duplicate"]
Section = Callable[[str], Mapping[str, Any]]
T = TypeVar("T")

# Where pluggy keeps, on a function, that it implements a hook.
_MARKER = f"{hookspecs.PROJECT}_impl"


class Plugin(NamedTuple):
    """A plugin after the attempt to load it; `hooks` calls only its own, None unless `ok`."""

    ref: PluginRef
    state: State
    reason: str = ""
    hooks: Any = None


class Loaded(NamedTuple):
    """All plugins of one group, by name, and one error per plugin that had to be left out."""

    group: str
    plugins: tuple[Plugin, ...]
    failures: tuple[PluginError, ...]


class Offers(NamedTuple):
    """What the plugins of one group offer, in order of priority and name."""

    offers: tuple[Offer, ...]
    failures: tuple[PluginError, ...]


class Tracers(NamedTuple):
    """The tracers to choose from, in the order `auto` tries them.

    `refs` names the plugin of each tracer, for `call_object`.
    """

    usable: tuple[Tracer, ...]
    failures: tuple[PluginError, ...]
    refs: Mapping[str, PluginRef]


def tracers(environ: Mapping[str, str] | None = None) -> Tracers:
    """Every tracer that installed plugins offer, whether or not its mechanism works here."""
    found = offered("roar.tracers", environ=environ)
    usable = tuple(offer.value for offer in found.offers)
    return Tracers(usable, found.failures, {o.value.name: o.ref for o in found.offers})


def analyzers(
    project: Path,
    section: Section,
    wanted: bool | Mapping[str, bool],
    environ: Mapping[str, str] | None = None,
    *,
    variables: Mapping[str, str] | None = None,
) -> Offers:
    """The analyzers that `wanted`, the setting analyzers.experiment_trackers, lets take part.

    `variables` is the `environ` of the PluginConfig they get.
    """
    if wanted is False:
        return Offers((), ())
    found = offered("roar.analyzers", project, section, environ=environ, variables=variables)
    if wanted is True:
        return found
    takes_part = [o for o in found.offers if wanted.get(o.value.name, wanted.get(o.ref.name, True))]
    return Offers(tuple(takes_part), found.failures)


def offered(
    group: str,
    project: Path | None = None,
    section: Section | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Offers:
    """Load `group` and collect the objects its plugins offer.

    `project`, `section` (name -> settings) and `variables` make the argument of the kinds that take
    one: each plugin sees the section named like its entry point.
    """
    contract = CONTRACTS[group]
    loaded = load(group, environ=environ)
    offers: list[Offer] = []
    failures = list(loaded.failures)
    for plugin in usable_plugins(loaded):
        try:
            offers += objects_of(plugin, project, section, variables)
        except PluginError as error:
            failures.append(error)
    kept, clashes = without_clashes(offers, contract)
    for clash in clashes:
        owners = " and ".join(clash.owners)
        reason = f"more than one {clash.ref.kind} is called {clash.name!r}; none of them is used"
        failures.append(PluginError(owners, f"offering {clash.name}", reason))
    return Offers(kept, tuple(failures))


def load(
    group: str,
    refs: Iterable[PluginRef] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Import and check each plugin of `group` (or just `refs`), once per process."""
    found = find_plugins((group,)) if refs is None else refs
    return _load(group, tuple(found), disabled_names(os.environ if environ is None else environ))


def usable_plugins(loaded: Loaded) -> list[Plugin]:
    """The plugins of `loaded` in state `ok`."""
    return [plugin for plugin in loaded.plugins if plugin.state == "ok"]


def objects_of(
    plugin: Plugin,
    project: Path | None,
    section: Section | None,
    variables: Mapping[str, str] | None = None,
) -> list[Offer]:
    """Ask one plugin for its objects; PluginError when it fails or one does not fit."""
    contract = CONTRACTS[plugin.ref.group]
    arguments: dict[str, Any] = {}
    if contract.config is not None:
        settings = section(plugin.ref.name) if section else {}
        arguments["config"] = contract.config(project or Path.cwd(), settings, variables or {})

    def ask() -> list[Offer]:
        answers = getattr(plugin.hooks, contract.hook)(**arguments)
        objects = [candidate for answer in answers for candidate in answer]
        for candidate in objects:
            if problem := misfit(candidate, contract):
                raise TypeError(f"{type(candidate).__name__} {problem}")
        return [Offer(plugin.ref, candidate) for candidate in objects]

    return call_object(plugin.ref, f"offering its {plugin.ref.kind}", ask)


def sections_of(plugin: Plugin) -> list[ConfigSection]:
    """The configuration sections of one plugin; PluginError when it fails or one is none."""

    def ask() -> list[ConfigSection]:
        answers = plugin.hooks.roar_config_sections()
        sections = [section for answer in answers for section in answer]
        for section in sections:
            if not _is_section(section):
                raise TypeError(f"{section!r} is no ConfigSection of ConfigKeys")
        return sections

    return call_object(plugin.ref, "naming its configuration", ask)


def capability_answers(plugin: Plugin) -> list[Any]:
    """What one plugin answers to roar_capabilities, as it is; PluginError when it fails."""
    return call_object(
        plugin.ref, "naming its capabilities", lambda: list(plugin.hooks.roar_capabilities())
    )


def config_sections(loaded: Sequence[Loaded]) -> tuple[list[ConfigSection], list[PluginError]]:
    """The configuration sections that loaded plugins own, and what went wrong asking for them."""
    sections: list[ConfigSection] = []
    failures: list[PluginError] = []
    for plugin in (p for group in loaded for p in usable_plugins(group)):
        try:
            sections += sections_of(plugin)
        except PluginError as error:
            failures.append(error)
    return sections, failures


def capabilities(loaded: Sequence[Loaded]) -> dict[str, bool]:
    """What loaded plugins say they can do; one that fails to say so says nothing."""
    found: dict[str, bool] = {}
    for plugin in (p for group in loaded for p in usable_plugins(group)):
        try:
            for answer in capability_answers(plugin):
                found |= {n: v for n, v in dict(answer).items() if isinstance(v, bool)}
        except (PluginError, TypeError, ValueError):
            continue
    return found


def command(name: str, environ: Mapping[str, str] | None = None) -> Any:
    """The click command that a plugin adds under `name`; None when there is none or it is disabled.

    Raises PluginError when it cannot be used. Only plugins that offer this name are imported.
    """
    refs = [ref for ref in find_plugins(("roar.commands",)) if ref.name == name]
    loaded = load("roar.commands", refs, environ)
    if loaded.failures:
        raise loaded.failures[0]
    for plugin in usable_plugins(loaded):
        if not _is_command(plugin.hooks):
            raise _failure(plugin.ref, f"{plugin.ref.value} is no click command")
        return plugin.hooks
    return None


def all_plugins(
    project: Path, section: Section, environ: Mapping[str, str] | None = None
) -> list[Plugin]:
    """Every advertised plugin, loaded and asked what it offers, for `roar plugins`."""
    refs = find_plugins()
    found: list[Plugin] = []
    for group in KINDS:
        loaded = load(group, [ref for ref in refs if ref.group == group], environ)
        found += [_asked(plugin, project, section) for plugin in loaded.plugins]
    for ref in refs:
        if ref.group not in KINDS:
            found.append(Plugin(ref, "broken", f"roar knows no plugin group {ref.group!r}"))
    return found


def call_object(ref: PluginRef, doing: str, function: Callable[..., T], *args: Any) -> T:
    """Call a plugin's `function`; whatever it raises becomes a PluginError that names the plugin.

    `doing` completes "failed while". Only Ctrl-C passes through. An iterator does its work later:
    pass `lambda: list(…)` to have that caught too.
    """
    try:
        return function(*args)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        import logging

        logging.getLogger(__name__).debug("%s %s, %s", ref.kind, ref.name, doing, exc_info=True)
        reason = str(error) if isinstance(error, RoarError) else _sentence(error)
        raise PluginError(ref.distribution, doing, reason) from error


@functools.cache
def _load(group: str, refs: tuple[PluginRef, ...], disabled: frozenset[str]) -> Loaded:
    plugins: list[Plugin] = []
    failures: list[PluginError] = []
    rivals: dict[str, list[PluginRef]] = {}
    for ref in refs:
        if is_disabled(ref, disabled):
            plugins.append(Plugin(ref, "disabled", f"by {DISABLE}"))
        else:
            rivals.setdefault(ref.name, []).append(ref)
    for name, same in rivals.items():
        if len(same) == 1:
            plugin = _loaded(same[0], group)
            plugins.append(plugin)
            if plugin.state != "ok":
                failures.append(_failure(plugin.ref, plugin.reason))
            continue
        owners = " and ".join(f"{ref.distribution} {ref.version}" for ref in same)
        reason = (
            f"{owners} both offer {same[0].kind} {name!r}; "
            f"uninstall one, or name its distribution in {DISABLE}"
        )
        plugins += [Plugin(ref, "duplicate", reason) for ref in same]
        failures.append(_failure(same[0], reason, " and ".join(ref.distribution for ref in same)))
    plugins.sort(key=lambda plugin: (plugin.ref.name, plugin.ref.distribution))
    return Loaded(group, tuple(plugins), tuple(failures))


def _loaded(ref: PluginRef, group: str) -> Plugin:
    """Import one plugin and check it against the API version and the hookspecs."""
    try:
        found, wanted = call_object(ref, "loading", _imported, ref.value)
        if wanted > hookspecs.API_VERSION:
            has = f"this roar-core has {hookspecs.API_VERSION}; upgrade roar-core"
            return Plugin(ref, "too new", f"needs plugin API {wanted}, {has}")
        if group == "roar.commands":
            return Plugin(ref, "ok", hooks=found)
        hooks = call_object(ref, "registering its hooks", _registered, ref, found)
    except PluginError as error:
        return Plugin(ref, "broken", str(error.cause))
    contract = CONTRACTS.get(group)
    if contract is not None and not getattr(hooks, contract.hook).get_hookimpls():
        return Plugin(ref, "broken", f"{ref.value} implements no {contract.hook}")
    return Plugin(ref, "ok", hooks=hooks)


def _imported(value: str) -> tuple[Any, int]:
    """The object an entry point names, and the API version that its module asks for."""
    module_name, _, attributes = value.partition(":")
    __import__(module_name.strip())
    module = sys.modules[module_name.strip()]
    wanted = getattr(module, "roar_api_version", hookspecs.API_VERSION)
    if not isinstance(wanted, int):
        raise TypeError(f"roar_api_version is {wanted!r}, expected a whole number")
    found: Any = module
    for attribute in filter(None, attributes.strip().split(".")):
        found = getattr(found, attribute)
    return found, wanted


def _registered(ref: PluginRef, module: Any) -> Any:
    """A hook caller for this plugin alone, so that nothing it does can stop another."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    implementations = _implementations(module)
    manager.add_hookspecs(_specifications(ref.group, implementations))
    manager.register(implementations, name=ref.name)
    manager.check_pending()
    return manager.hook


# The hooks that plugins of every group are asked.
_OF_ALL = frozenset({"roar_config_sections", "roar_capabilities"})


def _specifications(group: str, plugin: Any) -> ModuleType:
    """The hookspecs alone: pluggy examines every name of a module, and it does so per plugin.

    Of a module only those that its group is asked and those that it implements, for pluggy takes
    the signature of each.
    """
    names = {name for name in vars(hookspecs) if name.startswith("roar_")}
    if isinstance(plugin, ModuleType):
        names &= {CONTRACTS[group].hook, *_OF_ALL, *_implemented(plugin)}
    found = ModuleType(hookspecs.__name__)
    for name in names:
        setattr(found, name, getattr(hookspecs, name))
    return found


def _implemented(module: ModuleType) -> Iterator[str]:
    """The names of the hooks that a module implements."""
    for name, value in vars(module).items():
        options = getattr(value, _MARKER, None)
        if options is not None:
            yield options["specname"] or name


def _implementations(plugin: Any) -> Any:
    """A module's hook implementations alone, for the same reason; another object as it is."""
    if not isinstance(plugin, ModuleType):
        return plugin
    found = ModuleType(plugin.__name__)
    for name, value in vars(plugin).items():
        if isinstance(value, FunctionType) and hasattr(value, _MARKER):
            setattr(found, name, value)
    return found


def _failure(ref: PluginRef, reason: str, owners: str | None = None) -> PluginError:
    return PluginError(owners or ref.distribution, f"loading {ref.kind} {ref.name}", reason)


def _is_section(candidate: object) -> bool:
    return (
        isinstance(candidate, ConfigSection)
        and isinstance(candidate.name, str)
        and all(
            isinstance(key, ConfigKey)
            and all(isinstance(text, str) for text in (key.name, key.help, key.kind or ""))
            and all(isinstance(choice, str) for choice in key.choices)
            for key in candidate.keys
        )
    )


def _asked(plugin: Plugin, project: Path, section: Section) -> Plugin:
    """`plugin`, or what stopped it from offering its objects or from being a command."""
    contract = CONTRACTS.get(plugin.ref.group)
    if plugin.state != "ok":
        return plugin
    if contract is None:
        if _is_command(plugin.hooks):
            return plugin
        return Plugin(plugin.ref, "broken", f"{plugin.ref.value} is no click command")
    try:
        objects_of(plugin, project, section)
        sections_of(plugin)
    except PluginError as error:
        return Plugin(plugin.ref, "broken", f"{error.doing}: {error.cause}")
    return plugin


def _is_command(candidate: Any) -> bool:
    # By shape: importing click here would cost those who load no command.
    return callable(getattr(candidate, "main", None)) and hasattr(candidate, "params")


def _sentence(error: BaseException) -> str:
    """What went wrong, on one line, whatever the exception's own text looks like."""
    try:
        text = " ".join(str(error).split())
    except Exception as worse:  # a stranger's __str__ may fail as well
        text = f"its message cannot be shown ({type(worse).__name__})"
    name = type(error).__name__
    return f"{name}: {text}" if text else name
