"""What the commands about settings share: the settings that hold here, and writing one."""

from __future__ import annotations

import os
from pathlib import Path

from roar_core.cli import output
from roar_core.config.layers import Config, load
from roar_core.config.switches import analyzer_switches
from roar_core.errors import ConfigError, RefusedError, RoarError
from roar_core.hookspecs import ConfigSection
from roar_core.project import (
    Project,
    find_project,
    initialise,
    recordable_project,
    working_directory,
)


def here() -> Project:
    """The project around the working directory, initialised or not."""
    try:
        return find_project(working_directory())
    except RefusedError as error:  # its exit code, 125, is for a command that was not started
        raise RoarError(str(error)) from error


def current_config() -> Config:
    """The settings that hold in the working directory, with those of every usable plugin."""
    project = here()
    return load(project.root, project.roar_dir, os.environ, sections=plugin_sections())


def plugin_sections() -> list[ConfigSection]:
    """The sections of all installed plugins.

    A plugin that fails is passed over: its settings then count as those of no plugin in use, which
    `config list` tells, and `roar plugins` has the reason.
    """
    from roar_core.discovery import KINDS
    from roar_core.plugins import config_sections
    from roar_core.plugins import load as load_plugins

    sections, _ = config_sections([load_plugins(g) for g in KINDS if g != "roar.commands"])
    analyzers = [plugin.ref.name for plugin in load_plugins("roar.analyzers").plugins]
    return sections + analyzer_switches(analyzers, sections)


def config_file(project: Project, everywhere: bool = False) -> tuple[Path, str]:
    """The file to write, this checkout's or the user's own, and what messages call it."""
    from roar_core.config import files

    if not everywhere:
        path = project.roar_dir / "config.toml"
        return path, files.label_of(path, project.root)
    path_or_none = files.user_file(os.environ)
    if path_or_none is None:
        raise ConfigError("there is no home directory for global.toml; set XDG_CONFIG_HOME")
    return path_or_none, str(path_or_none)


def write_setting(name: str, value: object, everywhere: bool = False) -> None:
    """Write one checked value for this checkout, or for all of the user's, and say so."""
    from roar_core.config.writing import set_value

    project = here()
    if not everywhere:
        try:
            project = recordable_project(project.root)
            initialise(project)
        except RefusedError as error:
            raise RoarError(str(error)) from error
    path, label = config_file(project, everywhere)
    set_value(path, name, value)
    output.note(f"{name} set in {label}")
    _warn_if_overruled(name, project, label)


def _warn_if_overruled(name: str, project: Project, label: str) -> None:
    try:
        holds = load(project.root, project.roar_dir, os.environ, sections=plugin_sections())
    except ConfigError as error:
        output.warn(str(error))  # another setting is wrong; this one is written all the same
        return
    if holds.origin(name) != label:
        output.warn(f"it does not hold here: {holds.origin(name)} sets {name} too")
