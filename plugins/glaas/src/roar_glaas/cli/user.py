"""`glaas user`: who has an account, and with what they sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roar_glaas.cli.options import json_option, of_registry, read_password, tell, tell_all
from roar_glaas.cli.user_key import key
from roar_glaas.errors import GlaasError

if TYPE_CHECKING:
    from roar_glaas.storage.database import Database


@click.group()
def user() -> None:
    """People who may sign in.

    \b
    Examples:
      glaas user add ada --email ada@example.org
      glaas user password ada              asks for it; or from stdin
      glaas user approve BCDF-GHJK --user ada     lets in the client that shows this code
      glaas user key add ada ~/.ssh/id_ed25519.pub
    """


@user.command()
@click.argument("name")
@click.option("--email", metavar="ADDRESS", help="Their mail address.")
@click.option("--display-name", default="", metavar="TEXT", help="What pages call them.")
@click.option("--operator", is_flag=True, help="They may look after the accounts of others.")
@click.option("--password", "wants_password", is_flag=True, help="Ask for one, or read it.")
@json_option
@of_registry
def add(
    database: Database,
    name: str,
    email: str | None,
    display_name: str,
    operator: bool,
    wants_password: bool,
    as_json: bool,
) -> None:
    """Make an account. NAME is made of a-z, 0-9 and -.

    Without a password they come in by a code that you approve, an SSH key, or a token.

    \b
    Examples:
      glaas user add ada --email ada@example.org --password
      glaas user add nightly-build
    """
    from roar_glaas.access.passwords import hash_password
    from roar_glaas.access.people import add_person

    hashed = hash_password(read_password(f"Password of {name}")) if wants_password else None
    with database.write() as connection:
        person = add_person(
            connection,
            name,
            display_name=display_name,
            email=email,
            is_operator=operator,
            password_hash=hashed,
        )
    tell(person.document(), "user", as_json, f"made the account {name}")


@user.command("list")
@json_option
@of_registry
def list_users(database: Database, as_json: bool) -> None:
    """Everybody who has an account."""
    from roar_glaas.access.people import all_people

    with database.read() as connection:
        rows = [person.document() for person in all_people(connection)]
    columns = ("name", "email", "is_operator", "is_disabled", "has_password", "created_at")
    tell_all(rows, "users", columns, as_json)


@user.command()
@click.argument("name")
@of_registry
def password(database: Database, name: str) -> None:
    """Give somebody a new password.

    It is typed at the terminal, or is one line of stdin. Every browser that they signed in with is
    signed out.
    """
    from roar_glaas.access.passwords import hash_password
    from roar_glaas.access.people import find_person, set_password_hash
    from roar_glaas.access.web_sessions import end_all

    with database.read() as connection:
        find_person(connection, name)
    hashed = hash_password(read_password(f"New password of {name}"))
    with database.write() as connection:
        person = find_person(connection, name)
        set_password_hash(connection, person, hashed)
        end_all(connection, person.id)
    click.echo(f"{name} has a new password", err=True)


@user.command()
@click.argument("name")
@of_registry
def disable(database: Database, name: str) -> None:
    """Close an account.

    Every token, key and password of it is refused from now on; what it registered stays.
    """
    _set_disabled(database, name, True)
    click.echo(f"{name} is disabled; `glaas user enable {name}` undoes it", err=True)


@user.command()
@click.argument("name")
@of_registry
def enable(database: Database, name: str) -> None:
    """Open a disabled account again."""
    _set_disabled(database, name, False)
    click.echo(f"{name} is enabled", err=True)


@user.command()
@click.argument("code")
@click.option("--user", "name", required=True, metavar="NAME", help="Whom it is let in as.")
@of_registry
def approve(database: Database, code: str, name: str) -> None:
    """Let in the client that shows CODE.

    That is what `roar login` does where there is no browser. It is told where the client asks from.

    \b
    Examples:
      glaas user approve BCDF-GHJK --user ada
    """
    from roar_glaas.access import device
    from roar_glaas.access.people import find_person

    with database.write() as connection:
        person = find_person(connection, name)
        if person.is_disabled:
            raise GlaasError(f"{name} is disabled; `glaas user enable {name}` undoes it")
        asking = device.waiting(connection, code)
        device.approve(connection, code, person.id)
    client, address = asking["client_name"], asking["address"]
    click.echo(f"{client} at {address} is let in as {name}", err=True)


user.add_command(key)


def _set_disabled(database: Database, name: str, is_disabled: bool) -> None:
    from roar_glaas.access.people import find_person, set_disabled

    with database.write() as connection:
        set_disabled(connection, find_person(connection, name), is_disabled)
