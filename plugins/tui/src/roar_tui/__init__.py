"""`roar tui`: look around in what was recorded, with the keyboard.

Textual takes a third of a second to import, so nothing here does before the screen is wanted.
"""

from __future__ import annotations

import os
import sys

import click

from roar_core.errors import NotFoundError, RefusedError


@click.command()
@click.option("--session", type=click.IntRange(1), help="A session before the current one.")
def tui(session: int | None) -> None:
    """Look around in the steps of a session: what each read and wrote, and where it came from.

    Everything is done with the keyboard; ? lists the keys, q quits. Nothing is changed.

    Example: roar tui
    """
    # Textual reads from stdin and draws on stderr; stdout counts as `roar tui | less` is a mistake.
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise RefusedError("roar tui needs a terminal; for the same as text use: roar dag")
    from roar_tui.documents import Reader, ReadError

    reader = Reader()
    try:
        steps = reader.steps(session)
    except ReadError as error:
        raise NotFoundError(str(error)) from error
    if not steps["steps"] and (steps["session"] is None or steps["session"]["number"] == 1):
        raise NotFoundError(
            "nothing is recorded in this project yet; start with: roar run <your command>"
        )
    # An empty one asks for nothing (https://no-color.org); Textual would take it for a wish.
    if os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]
    from roar_tui.app import Browser

    app = Browser(reader, steps)
    try:
        app.run()
    finally:
        reader.close()
    if app.return_code:
        raise click.exceptions.Exit(app.return_code)
