"""Ask before something is taken away."""

from __future__ import annotations

import click

from roar_core.cli import output
from roar_core.errors import RefusedError


def agreed(question: str, *, yes: bool) -> bool:
    """Whether the user says yes; `yes` is that he has said so already, with `-y`.

    Asked on stderr, so that stdout is the result's alone. Raises `RefusedError` when nobody is
    there to answer.
    """
    if yes:
        return True
    try:
        return click.confirm(output.printable(question), err=True)
    except click.Abort as error:
        click.echo(err=True)
        raise RefusedError(
            "nobody answered, and nothing was done; say yes beforehand with -y"
        ) from error
