"""`glaas stats`: how much a registry holds."""

from __future__ import annotations

import json
from pathlib import Path

import click

from roar_glaas.cli.options import at_registry, json_option, settings_of


@click.command()
@at_registry
@json_option
def stats(data: Path | None, database: str | None, as_json: bool) -> None:
    """Count what a registry holds.

    \b
    Examples:
      glaas stats
      glaas stats --json
    """
    from roar_glaas.opening import open_existing
    from roar_glaas.storage.sizes import sizes

    with open_existing(settings_of(data, database)) as opened:
        found = sizes(opened)
    if as_json:
        click.echo(json.dumps({"schema": 1, "type": "stats", **found}))
        return
    width = max(map(len, found))
    for name, count in found.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {count:>15,}")
