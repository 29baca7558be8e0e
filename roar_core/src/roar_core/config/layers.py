"""What holds here: the settings of every layer, checked, the higher layer's value winning whole.

Only tables of text, whose names are the user's own, add up name by name.

    built-in < $XDG_CONFIG_HOME/roar/global.toml < roar.toml, or [tool.roar] of pyproject.toml
    < .roar/config.toml < ROAR_<SECTION>__<KEY> < flag

A misspelled key is an error, because a setting that silently does nothing misleads. A section that
nobody here owns may belong to a plugin that is not installed: it is kept, and told as a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from roar_core.config import files
from roar_core.config.schema import SECTIONS
from roar_core.config.values import checked, from_text, kind_of
from roar_core.config.variables import misspelt
from roar_core.errors import ConfigError
from roar_core.hookspecs import ConfigKey, ConfigSection

_VARIABLE = re.compile(r"ROAR_[A-Za-z0-9].*?__.+", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]+")  # what TOML takes without quotes
CORE_SECTIONS = tuple(section.name for section in SECTIONS)
# Settings that are one boolean, or a table of booleans whose names belong to plugins.
_SWITCHES = frozenset(
    f"{section.name}.{key.name}"
    for section in SECTIONS
    for key in section.keys
    if key.kind == "boolean or table of booleans"
)
# How alike two names are, of 1, that somebody may have taken one for the other.
_NEAR = 0.8
# A checkout must not be able to turn somebody's statistics on, or send them elsewhere.
_USERS_ALONE = "telemetry."
# Nor to choose the key that somebody signs with, or have what tasks did sent anywhere.
_NO_CHECKOUTS = frozenset({"registry.ssh_key", "redaction.trust_project", "fragments.carrier"})

# Variables of the client that came before. Who has set them for it means the same here, and would
# else publish to another place than they are used to.
_FORMER = {"GLAAS_URL": "registry.url"}


class Setting(NamedTuple):
    """One key, the value that holds and the layer it comes from."""

    name: str
    value: Any
    key: ConfigKey
    origin: str = "built-in"


class Stated(NamedTuple):
    """What one layer says of a setting; `is_own`: it is the user's, and came with no project."""

    value: Any
    origin: str
    is_own: bool


class Config:
    """The settings that hold. Names are dotted: `hash.preimage_max`, `tracer.preload.table`.

    `warnings` are of all that has no effect, `mistakes` those of what is meant to have one.
    """

    def __init__(
        self,
        settings: dict[str, Setting],
        warnings: Sequence[str],
        stated: Mapping[str, Sequence[Stated]],
        mistakes: Sequence[str],
    ) -> None:
        self._settings = settings
        self._stated = stated
        self.warnings = tuple(warnings)
        self.mistakes = tuple(mistakes)

    def stated(self, name: str) -> Sequence[Stated]:
        """What every layer says of `name`, the weakest first, where not the highest alone holds."""
        return self._stated.get(name, ())

    def get(self, name: str) -> Any:
        """The value of `name`; ConfigError when there is no such setting."""
        return self.setting(name).value

    def origin(self, name: str) -> str:
        """Which layer decides `name`: `built-in`, a file, `environment ROAR_…` or `flag`."""
        return self.setting(name).origin

    def setting(self, name: str) -> Setting:
        """The whole of one setting; ConfigError when there is none of this name."""
        found = self._settings.get(name)
        if found is None:
            raise ConfigError(f"no setting is called {name!r}{suggestion(name, self._settings)}")
        return found

    def section(self, name: str) -> dict[str, Any]:
        """Key -> value of one section, empty when nobody owns such a section."""
        prefix = f"{name}."
        return {
            full[len(prefix) :]: setting.value
            for full, setting in self._settings.items()
            if full.startswith(prefix) and "." not in full[len(prefix) :]
        }

    def items(self) -> Iterator[Setting]:
        """Every setting: the core's sections first, then plugins', in the order they declare."""
        return iter(self._settings.values())


def load(
    project_root: Path | None,
    roar_dir: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    sections: Iterable[ConfigSection] = (),
) -> Config:
    """Read every layer; ConfigError names the file, the key and what was expected.

    `sections` are those of the plugins that take part. A flag whose value is None was not given.
    """
    sections = tuple(sections)
    known, warnings = known_keys(sections)
    layers = _Layers(known, warnings, users_own=str(files.user_file(environ)))
    for label, table in files.tables(project_root, roar_dir, environ):
        layers.add_table(label, table)
    for variable, name in _FORMER.items():
        if text := environ.get(variable):
            layers.add_value(f"environment {variable}", name, text)
    ours = sorted(name for name in environ if name.startswith("ROAR_"))
    for variable in filter(_VARIABLE.fullmatch, ours):
        layers.add_variable(variable, environ[variable])
    for name, value in (flags or {}).items():
        if value is not None:
            layers.add_value("flag", name, value)
    others = (name for name in ours if not _VARIABLE.fullmatch(name))
    plugins_own = [name for section in sections for name in section.variables]
    mistakes = [*layers.mistakes, *misspelt(others, known, plugins_own)]
    warnings = [*layers.warnings, *mistakes]
    return Config(layers.settings, warnings, layers.stated, mistakes)


def known_keys(sections: Iterable[ConfigSection]) -> tuple[dict[str, ConfigKey], list[str]]:
    """Dotted name -> key, of the core and of `sections`; and why a section was left out.

    A plugin's section must not look like one of the core's, nor lie below one: else it would depend
    on the plugins that a command loads whether a name is a spelling mistake. Only a switch, such as
    analyzers.experiment_trackers, is a section that plugins share, each with keys of its own.
    """
    known = {f"{section.name}.{key.name}": key for section in SECTIONS for key in section.keys}
    owned: set[str] = set()
    problems: list[str] = []
    for section in sections:
        try:
            _check_section(section, owned, known)
        except ConfigError as error:
            problems.append(f"section [{section.name}] of a plugin left out: {error}")
            continue
        owned.add(section.name)
        known |= {f"{section.name}.{key.name}": key for key in section.keys}
    return known, problems


def _check_section(section: ConfigSection, owned: set[str], known: Mapping[str, ConfigKey]) -> None:
    head, *below = section.name.split(".")
    for name in (head, *below, *(key.name for key in section.keys)):
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name for a setting")
    if section.name in _SWITCHES:
        for key in section.keys:
            if f"{section.name}.{key.name}" in known:
                raise ConfigError(f"another plugin has {key.name} in it")
            if kind_of(key) != "boolean":
                raise ConfigError(f"{key.name} must be a boolean there")
        return
    if section.name in owned:
        raise ConfigError("another plugin has one of that name")
    if close := near(head, CORE_SECTIONS):
        raise ConfigError(f"it is, or looks like, roar's own [{close}]")
    for key in section.keys:
        kind_of(key)
        if key.default is not None:
            try:
                checked(key, key.default)
            except ConfigError as error:
                raise ConfigError(f"the default of {key.name}: {error}") from error


class _Layers:
    """Puts one layer after the other over the built-in values."""

    def __init__(
        self, known: Mapping[str, ConfigKey], warnings: Sequence[str], users_own: str
    ) -> None:
        self.known = known
        self._users_own = users_own
        self.warnings = list(warnings)
        self.mistakes: list[str] = []
        self.settings = {
            name: Setting(name, None if key.default is None else checked(key, key.default), key)
            for name, key in known.items()
        }
        self.stated: dict[str, list[Stated]] = {}
        self._sections = {name.rpartition(".")[0] for name in known}

    def add_table(self, label: str, table: Mapping[str, Any], prefix: str = "") -> None:
        for name, value in table.items():
            full = prefix + name
            if full in self.known:
                self.add_value(label, full, value)
            elif isinstance(value, Mapping) and self._is_on_the_way(full):
                self.add_table(label, value, f"{full}.")
            else:
                self._note_unknown(label, full, full if isinstance(value, Mapping) else prefix[:-1])

    def add_variable(self, variable: str, text: str) -> None:
        label = f"environment {variable}"
        name = variable.removeprefix("ROAR_").lower().replace("__", ".")
        if name in self.known:
            self.add_value(label, name, from_text(self.known[name], text))
        else:
            self._note_unknown(label, name, name.rpartition(".")[0])

    def add_value(self, label: str, name: str, value: object) -> None:
        if name not in self.known:
            raise ConfigError(f"{label}: {_unknown(name, self.known)}")
        key = self.known[name]
        if name.startswith(_USERS_ALONE) and label != self._users_own:
            raise ConfigError(f"{label}: {name} is for you alone to set: roar telemetry --disable")
        is_own = label in ("flag", self._users_own) or label.startswith("environment ")
        if name in _NO_CHECKOUTS and not is_own:
            raise ConfigError(
                f"{label}: {name} is for you alone to set: roar config set --global {name} VALUE"
            )
        try:
            found = checked(key, value)
            self.stated.setdefault(name, []).append(Stated(found, label, is_own))
            if kind_of(key) == "table of text":
                # One file's names must not make those of another vanish.
                found = {**self.settings[name].value, **found}
            self.settings[name] = Setting(name, found, key, label)
        except ConfigError as error:
            raise ConfigError(f"{label}: {name}: {error}") from error
        if name in _SWITCHES:
            self._switch(label, name, self.settings[name].value)

    def _switch(self, label: str, switch: str, value: bool | Mapping[str, bool]) -> None:
        """Let one value, or a table of them by name, decide each plugin's own switch."""
        names = [name for name in self.known if name.startswith(f"{switch}.")]
        for name in names:
            key, short = self.known[name], name[len(switch) + 1 :]
            if isinstance(value, bool):
                self.settings[name] = Setting(name, value, key, label)
            elif short in value:
                self.settings[name] = Setting(name, value[short], key, label)
            else:
                self.settings[name] = Setting(name, key.default, key)
        if names and not isinstance(value, bool):
            for short in value:
                if f"{switch}.{short}" not in self.known:
                    self._note_unknown(label, f"{switch}.{short}", switch)

    def _is_on_the_way(self, name: str) -> bool:
        """Whether `name` is a section, or a table that holds sections."""
        return any(f"{section}.".startswith(f"{name}.") for section in self._sections)

    def _note_unknown(self, label: str, name: str, section: str) -> None:
        """Refuse `name` when it is a mistake; a plugin not in use may own `section`."""
        if not section:
            raise ConfigError(f"{label}: {_visible(name)}: expected a section, such as [run]")
        if section in _SWITCHES:
            self._note_unknown_switch(label, name, section)
            return
        head = section.partition(".")[0]
        inside = any(f"{section}.".startswith(f"{owner}.") for owner in self._sections)
        if inside or self._is_on_the_way(section):
            raise ConfigError(f"{label}: {_unknown(name, self.known)}")
        if close := near(head, CORE_SECTIONS):
            raise ConfigError(
                f"{label}: unknown section [{_visible(head)}], did you mean [{close}]?"
            )
        told = f"{label}: [{_visible(section)}] belongs to no plugin in use"
        if close := near(section, self._sections):
            self._add(f"{told}, did you mean [{close}]?", self.mistakes)
        else:
            self._add(told, self.warnings)

    def _note_unknown_switch(self, label: str, name: str, switch: str) -> None:
        siblings = [known[len(switch) + 1 :] for known in self.known if known.startswith(switch)]
        if close := near(name[len(switch) + 1 :], filter(None, siblings)):
            raise ConfigError(
                f"{label}: unknown setting {_visible(name)}, did you mean {switch}.{close}?"
            )
        self._add(f"{label}: {_visible(name)} belongs to no plugin in use", self.warnings)

    def _add(self, sentence: str, to: list[str]) -> None:
        if sentence not in to:
            to.append(sentence)


def _unknown(name: str, known: Iterable[str]) -> str:
    return f"unknown setting {_visible(name)}{suggestion(name, known)}"


def _visible(name: str) -> str:
    """A name from a file that anybody may have written, with what steers a terminal escaped."""
    return name if name.isprintable() else repr(name)[1:-1]


def suggestion(name: str, known: Iterable[str]) -> str:
    """`, did you mean …?` for a near miss, else nothing."""
    close = near(name, known)
    return f", did you mean {close}?" if close else ""


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is, or may be a misspelling of."""
    candidates = [one for one in sorted(known) if _may_be_near(name, one)]
    if not candidates:
        return None
    import difflib

    return next(iter(difflib.get_close_matches(name, candidates, n=1, cutoff=_NEAR)), None)


def _may_be_near(one: str, other: str) -> bool:
    """Whether enough letters of both are the same, in whatever order.

    Every run compares its plugins' sections with roar's own, and seldom is one worth difflib.
    """
    enough = _NEAR * (len(one) + len(other)) / 2
    if min(len(one), len(other)) < enough:
        return False
    return sum(min(one.count(c), other.count(c)) for c in set(one) & set(other)) >= enough
