"""`roar plugins`: every plugin that is installed, and why one is unusable."""

from __future__ import annotations

import os

import click

from roar_core.cli import output
from roar_core.cli.documents import document
from roar_core.cli.settings import here, plugin_sections
from roar_core.config.layers import Config, load
from roar_core.errors import ConfigError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def plugins(as_json: bool) -> None:
    """List plugins, and why one is unusable.

    States: ok, disabled, broken, too new, duplicate. ROAR_DISABLE_PLUGINS=NAME,NAME (names of
    plugins or of distributions) or =all leaves plugins out.

    Example: ROAR_DISABLE_PLUGINS=wandb roar plugins
    """
    from roar_core.plugins import all_plugins

    found = all_plugins(here().root, _settings().section)
    if as_json:
        rows = [
            {
                "kind": plugin.ref.kind,
                "name": plugin.ref.name,
                "distribution": plugin.ref.distribution,
                "version": plugin.ref.version,
                "state": plugin.state,
                "reason": plugin.reason or None,
            }
            for plugin in found
        ]
        output.data(document("plugins", plugins=rows))
        return
    if not found:
        output.note("no plugin is installed; from a checkout: pip install ./plugins/tracer_preload")
        return
    output.table(
        [
            (p.ref.kind, p.ref.name, p.ref.distribution, p.ref.version, p.state, p.reason)
            for p in found
        ],
        ("kind", "name", "distribution", "version", "state", "reason"),
    )


def _settings() -> Config:
    """The settings that hold, or the built-in ones: a wrong setting must not hide the plugins."""
    project = here()
    sections = plugin_sections()
    try:
        return load(project.root, project.roar_dir, os.environ, sections=sections)
    except ConfigError as error:
        output.warn(str(error))
        return load(None, None, {}, sections=sections)
