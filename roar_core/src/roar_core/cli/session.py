"""`roar session hash` and `roar reset`: the identity of a session, the beginning of a new one."""

from __future__ import annotations

import time

import click

from roar_core.cli import output
from roar_core.cli.opening import open_project
from roar_core.errors import NotFoundError
from roar_core.lineage.session import find_session


@click.group(invoke_without_command=True)
@click.pass_context
def session(ctx: click.Context) -> None:
    """Ask about the session: its hash."""
    if ctx.invoked_subcommand is None:
        output.line(ctx.get_help())


@session.command("hash")
@click.option(
    "--session", "number", type=click.IntRange(1), help="A session before the current one."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def session_hash(number: int | None, as_json: bool) -> None:
    """Print the hash of what was done in the session: equal work has equal hashes, on any machine.

    Example: roar session hash
    """
    from roar_core.cli.documents import document
    from roar_core.store.queries import Queries

    with open_project(Queries) as (_, store):
        with store.reading() as db:
            found = find_session(db, number)
        if found is None:
            raise NotFoundError(
                "nothing is recorded in this project yet; start with: roar run <your command>"
            )
        name = store.session_hash(found.number)
    if as_json:
        output.data(document("session_hash", session=found.number, hash=name))
    else:
        output.line(name)


@click.command()
@click.option("-y", "--yes", is_flag=True, hidden=True, expose_value=False)  # of older scripts
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def reset(as_json: bool) -> None:
    """Begin a new session: the next job is @1. Nothing is deleted.

    Example: roar reset && roar run python train.py
    """
    from roar_core.cli.documents import document
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store), store.reading() as db:
        before = find_session(db, None)
    with Store.open(project.roar_dir) as store:
        number = store.reset(time.time_ns())
    if as_json:
        output.data(document("reset", session=number, previous=before and before.number))
    elif before is not None and before.number == number:
        output.note(f"session {number} has no job yet; it is used on")
    else:
        output.note(
            f"session {number} begins; see the one before with: roar log --session {number - 1}"
        )
