"""The command `glaas`: serve a registry, and look after it."""

from __future__ import annotations

import sys

import click

from roar_core.errors import RoarError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="roar-glaas")
def glaas() -> None:
    """Run a registry of lineage.

    \b
    Examples:
      glaas serve                       a registry for this machine, at http://127.0.0.1:8000
      glaas serve --data /srv/glaas     its data elsewhere
    """


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr."""
    try:
        glaas(standalone_mode=True)
    except RoarError as error:
        click.echo(f"glaas: {error}", err=True)
        sys.exit(error.exit_code)


from roar_glaas.cli.keeping import init, key, withhold  # noqa: E402 - the group must exist first
from roar_glaas.cli.serve import serve  # noqa: E402
from roar_glaas.cli.verify import verify  # noqa: E402

for command in (serve, init, key, withhold, verify):
    glaas.add_command(command)
