"""Which registry a command is about: the options `--data` and `--database`, told once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from roar_glaas.settings import Settings, read_settings

Command = TypeVar("Command", bound=Callable[..., Any])


def place(command: Command) -> Command:
    """Give a command the options `data` and `database`."""
    for option in (
        click.option("--database", metavar="URL", help="postgresql://USER@HOST/NAME, not SQLite."),
        click.option(
            "--data", type=click.Path(path_type=Path), envvar="GLAAS_DATA", help="Directory."
        ),
    ):
        command = option(command)
    return command


def settings_of(data: Path | None, database: str | None) -> Settings:
    """The settings of the registry at these options, or at the usual place."""
    from roar_glaas.cli.serve import default_data

    environ = dict(os.environ)
    return read_settings(data or default_data(environ), environ, {"database": database})
