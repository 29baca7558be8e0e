"""The command `glaas`: serve a registry, and look after it."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from roar_core.errors import RoarError

# name -> module:command; a command's module is imported when it is called.
COMMANDS = {
    "serve": "serve:serve",
    "init": "keeping:init",
    "user": "user:user",
    "token": "token:token",
    "org": "project:org",
    "project": "project:project",
    "key": "keeping:key",
    "verify": "verify:verify",
    "withhold": "keeping:withhold",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "stats": "stats:stats",
    "export": "exchange:export_all",
    "import": "exchange:import_all",
}


class _Commands(click.Group):
    """The commands of the table, in its order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"roar_glaas.cli.{module}"), name)
        assert isinstance(found, click.Command)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="roar-glaas")
def glaas() -> None:
    """Run a registry of lineage.

    \b
    Examples:
      glaas serve                       a registry for this machine, at http://127.0.0.1:8000
      glaas serve --data /srv/glaas     its data elsewhere
      glaas user add ada                an account
      glaas token create --user ada     a token for programs, shown once
    """


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr."""
    try:
        glaas(standalone_mode=True)
    except RoarError as error:
        click.echo(f"glaas: {error}", err=True)
        sys.exit(error.exit_code)
