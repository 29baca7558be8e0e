"""Where trackers keep things, as patterns: the command's variables say it, or nothing does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from roar_core.hookspecs import PluginConfig


def literal(path: str) -> str:
    """A glob that means exactly this path."""
    return re.sub(r"[*?\[]", r"[\g<0>]", path)


def absolute(path: str, config: PluginConfig) -> str:
    """Where a path leads, as the command will understand it: from its home, or where it starts.

    Links are followed, because roar records files under the names they have without any.
    """
    if path == "~" or path.startswith("~/"):
        path = config.environ.get("HOME", "~") + path[1:]
    return os.path.realpath(os.path.join(_start(config), path))  # noqa: PTH118 - text for a pattern


def _start(config: PluginConfig) -> str:
    """Where the command starts: where roar does, and PWD may tell of another place."""
    try:
        return os.getcwd()  # noqa: PTH109 - text
    except FileNotFoundError:
        return os.fspath(config.project)


def folder(config: PluginConfig, path: str) -> Iterator[str]:
    """The pattern of all below a folder; none for no path, and for a place that others share."""
    found = absolute(path, config) if path else "/"
    # A tracker told to keep its things in `.` has none of its own that could be told apart.
    if found not in _places_of_everybody(config):
        yield literal(found) + "/"


def folders(config: PluginConfig, *variables: str) -> Iterator[str]:
    """Patterns of all below the folders that these variables name."""
    for variable in variables:
        yield from folder(config, config.environ.get(variable, ""))


def at_home(config: PluginConfig, *patterns: str) -> Iterator[str]:
    """These patterns below the home, and where they lead when a folder there is a link."""
    home = config.environ.get("HOME")
    for pattern in patterns:
        yield f"~/{pattern}"
        plain = f"{home}/{pattern.rstrip('/')}"
        if home and (real := absolute(plain, config)) != plain:
            yield literal(real) + pattern[len(pattern.rstrip("/")) :]


def below(config: PluginConfig, variable: str, otherwise: str, *patterns: str) -> Iterator[str]:
    """These patterns below the folder that `variable` names, or below `otherwise` at home."""
    value = config.environ.get(variable, "")
    if not value:
        yield from at_home(config, *(f"{otherwise}/{pattern}" for pattern in patterns))
        return
    for pattern in patterns:
        yield f"{literal(absolute(value, config)).rstrip('/')}/{pattern}"


def temporary(config: PluginConfig, *patterns: str) -> Iterator[str]:
    """These patterns below the folder for temporary files."""
    start = absolute(config.environ.get("TMPDIR") or "/tmp", config)  # noqa: S108 - a place
    for pattern in patterns:
        yield f"{literal(start).rstrip('/')}/{pattern}"


def _places_of_everybody(config: PluginConfig) -> tuple[str, ...]:
    home = config.environ.get("HOME", "/")
    return ("/", "/tmp", os.fspath(config.project), absolute(home, config), absolute(".", config))  # noqa: S108
