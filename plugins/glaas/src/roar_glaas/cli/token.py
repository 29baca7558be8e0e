"""`glaas token`: secrets for programs, made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roar_glaas.cli.options import json_option, of_registry, tell, tell_all

if TYPE_CHECKING:
    from roar_glaas.storage.database import Database


@click.group()
def token() -> None:
    """Tokens of programs and of log-ins.

    \b
    Examples:
      glaas token create --user ada --title "nightly build" --days 30
      glaas token create --user ada --project lab/cats --read-only
      glaas token list --user ada
      glaas token revoke 7
    """


@token.command()
@click.option("--user", "name", required=True, metavar="NAME", help="Whom it stands for.")
@click.option("--title", default="", metavar="TEXT", help="What it is for.")
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True)
@click.option("--read-only", is_flag=True, help="Nothing can be registered with it.")
@click.option("--project", metavar="OWNER/PROJECT", help="It opens this project only.")
@json_option
@of_registry
def create(
    database: Database,
    name: str,
    title: str,
    days: int,
    read_only: bool,
    project: str | None,
    as_json: bool,
) -> None:
    """Make a token and show it, this once.

    `roar login --token-file` takes a file that holds {"access_token": "…"}.
    """
    from roar_glaas.access.people import find_person
    from roar_glaas.access.projects import find_project
    from roar_glaas.access.tokens import issue_personal

    with database.write() as connection:
        secret = issue_personal(
            connection,
            find_person(connection, name).id,
            title,
            days=days,
            is_read_only=read_only,
            limited_to=find_project(connection, project) if project else None,
        )
    tell({"user": name, "access_token": secret}, "token", as_json, secret)
    click.echo("keep it well: it cannot be shown again", err=True)


@token.command("list")
@click.option("--user", "name", metavar="NAME", help="Only theirs.")
@json_option
@of_registry
def list_tokens(database: Database, name: str | None, as_json: bool) -> None:
    """Which tokens there are.

    Of log-ins only those that can still be used.
    """
    from roar_glaas.access.people import find_person
    from roar_glaas.access.tokens import all_tokens

    with database.read() as connection:
        rows = all_tokens(connection, find_person(connection, name) if name else None)
    columns = ("id", "user", "kind", "title", "state", "is_read_only", "project", "expires_at")
    tell_all(rows, "tokens", columns, as_json)


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(0, 2**31))
@of_registry
def revoke(database: Database, token_id: int) -> None:
    """End a token; of a log-in, all the tokens it was given."""
    from roar_glaas.access.tokens import revoke as end

    with database.write() as connection:
        end(connection, token_id)
    click.echo(f"token {token_id} is revoked", err=True)
