"""How a command reaches a registry: the settings that hold here, and somebody to be warned."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from roar_core.cli import output
from roar_core.cli.settings import here
from roar_core.config.layers import Config, load

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection

F = TypeVar("F", bound=Callable[..., Any])

_LOOKUP_ATTEMPTS = 1


def registry_config() -> Config:
    """The core's settings in the working directory; no plugin has any that matter to a registry."""
    project = here()
    return load(project.root, project.roar_dir, os.environ)


def reach(
    config: Config, *, anonymous: bool = False, url: str | None = None, is_lookup: bool = False
) -> Connection:
    """A connection to the registry; nothing is sent yet. Warnings and waits are told on stderr.

    `is_lookup`: nobody asked for the registry by name, so that one that does not answer at once is
    given up.
    """
    from roar_core.registry.connection import ATTEMPTS, connect

    attempts = _LOOKUP_ATTEMPTS if is_lookup else ATTEMPTS
    return connect(
        config, os.environ, anonymous=anonymous, url=url, attempts=attempts, warn=output.warn
    )


def url_option(command: F) -> F:
    """`--url`: another registry than the one that is set."""
    return click.option("--url", metavar="URL", help="Another registry than registry.url.")(command)


def json_option(command: F) -> F:
    """`--json`: a document in place of words."""
    return click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")(command)
