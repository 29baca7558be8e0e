"""`glaas user key`: the SSH keys that people sign requests with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import click

from roar_glaas.cli.options import json_option, of_registry, tell, tell_all

if TYPE_CHECKING:
    from roar_glaas.storage.database import Database


@click.group()
def key() -> None:
    """SSH keys that sign requests: for people and machines without a browser.

    \b
    Examples:
      glaas user key add ada ~/.ssh/id_ed25519.pub --title laptop
      ssh-keygen -y -f key | glaas user key add ada -
      glaas user key list ada
      glaas user key remove ada SHA256:…
    """


@key.command()
@click.argument("name")
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"))
@click.option("--title", default="", metavar="TEXT", help="What it is; else the key's comment.")
@json_option
@of_registry
def add(database: Database, name: str, file: TextIO, title: str, as_json: bool) -> None:
    """Add a public key.

    FILE is the one that ends in .pub; `-` reads stdin.
    """
    from roar_glaas.access.people import find_person
    from roar_glaas.access.ssh import add_key

    line = file.readline(16_384)
    with database.write() as connection:
        fingerprint = add_key(connection, find_person(connection, name), line, title)
    told = {"user": name, "fingerprint": fingerprint}
    tell(told, "key", as_json, f"added {fingerprint} to {name}")


@key.command("list")
@click.argument("name")
@json_option
@of_registry
def list_keys(database: Database, name: str, as_json: bool) -> None:
    """Which keys somebody has."""
    from roar_glaas.access.people import find_person
    from roar_glaas.access.ssh import keys_of

    with database.read() as connection:
        rows = keys_of(connection, find_person(connection, name))
    tell_all(rows, "keys", ("fingerprint", "title", "created_at"), as_json)


@key.command()
@click.argument("name")
@click.argument("fingerprint")
@of_registry
def remove(database: Database, name: str, fingerprint: str) -> None:
    """Refuse from now on what this key signs."""
    from roar_glaas.access.people import find_person
    from roar_glaas.access.ssh import remove_key

    with database.write() as connection:
        remove_key(connection, find_person(connection, name), fingerprint)
    click.echo(f"removed {fingerprint} from {name}", err=True)
