"""`roar config`: what holds here, where it comes from, and changing it."""

from __future__ import annotations

import click

from roar_core.cli import output
from roar_core.cli.documents import document
from roar_core.cli.settings import (
    config_file,
    current_config,
    here,
    plugin_sections,
    write_setting,
)
from roar_core.config.layers import Setting, known_keys, suggestion
from roar_core.config.values import checked, from_text, kind_of, plain, shown
from roar_core.environment.variables import HIDDEN, masked
from roar_core.errors import ConfigError


@click.group()
def config() -> None:
    """List, read and change settings.

    A setting holds from, the weakest first: roar itself, your global.toml, the project's roar.toml
    or [tool.roar] of pyproject.toml, .roar/config.toml, ROAR_<SECTION>__<KEY>, and flags.

    Example: roar config set hash.algorithms sha256 md5
    """


@config.command("list")
@click.option("--origin", is_flag=True, help="Say which layer each value comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def list_settings(origin: bool, as_json: bool) -> None:
    """List every setting and its value.

    Example: roar config list --origin
    """
    found = current_config()
    if as_json:
        settings = [_fields(setting) for setting in found.items()]
        output.data(document("config", settings=settings, warnings=list(found.warnings)))
        return
    output.table(
        [(s.name, s.origin, _words(s)) if origin else (s.name, _words(s)) for s in found.items()]
    )
    for warning in found.warnings:
        output.warn(warning)


@config.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def get(name: str, as_json: bool) -> int:
    """Print the value of the setting NAME; exit 1 when it has none.

    Example: roar config get run.tracer
    """
    setting = current_config().setting(name)
    if as_json:
        output.data(document("setting", **_fields(setting)))
    elif setting.value is not None:
        output.line(output.printable(_words(setting)))
    return 0 if setting.value is not None else 1


@config.command("set")
@click.argument("name")
@click.argument("values", nargs=-1, required=True)
@click.option("--global", "everywhere", is_flag=True, help="For all your projects.")
def set_setting(name: str, values: tuple[str, ...], everywhere: bool) -> None:
    """Set NAME for this checkout, in .roar/config.toml.

    A list takes several VALUES, or one TOML array; everything else takes one VALUE.

    Example: roar config set git.snapshot_max '64 MiB'
    """
    known, _ = known_keys(plugin_sections())
    key = known.get(name)
    if key is None:
        raise ConfigError(f"no setting is called {name!r}{suggestion(name, known)}")
    if name.startswith("telemetry."):
        raise ConfigError(f"{name} is set with: roar telemetry --disable|--enable|--endpoint URL")
    value: object
    if kind_of(key) == "list of text" and not (len(values) == 1 and values[0][:1] == "["):
        value = values
    elif len(values) == 1:
        value = from_text(key, values[0])
    else:
        raise ConfigError(f"{name} takes one value, {len(values)} were given")
    try:
        checked(key, value)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error
    write_setting(name, value, everywhere)


@config.command()
@click.argument("name")
@click.option("--global", "everywhere", is_flag=True, help="For all your projects.")
def unset(name: str, everywhere: bool) -> int:
    """Take NAME out of .roar/config.toml; exit 1 when it was not there.

    Example: roar config unset run.grace
    """
    from roar_core.config.writing import unset_value

    path, label = config_file(here(), everywhere)
    # Looked at first, so that no lock is made in a directory where nothing was ever set.
    if not path.exists() or not unset_value(path, name):
        output.note(f"{name} is not set in {label}")
        return 1
    output.note(f"{name} taken out of {label}")
    return 0


def _words(setting: Setting) -> str:
    value = _shareable(setting)
    return shown(setting.key, value) if value is not None else "(not set)"


def _shareable(setting: Setting) -> object:
    """The value, with secrets among variables hidden: `roar env get` prints one."""
    if setting.name == "redaction.values":
        return tuple(HIDDEN for _ in setting.value)
    if setting.value and kind_of(setting.key) == "table of text":
        return masked(setting.value)
    return setting.value


def _fields(setting: Setting) -> dict[str, object]:
    return {
        "name": setting.name,
        "value": plain(_shareable(setting)),
        "origin": setting.origin,
        "kind": kind_of(setting.key),
        "default": plain(setting.key.default),
        "help": setting.key.help,
    }
