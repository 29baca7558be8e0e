"""What the commands that look after a registry share: which one, and how they answer."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from roar_glaas.errors import GlaasError
from roar_glaas.settings import Settings, read_settings

Command = Callable[..., Any]
_TOLD_EVERY = 5_000


def of_registry(command: Command) -> Command:
    """A command over one registry: it is given `database`, open, and says which with options."""

    @at_registry
    @functools.wraps(command)
    def opened(data: Path | None, database: str | None, **words: Any) -> Any:
        # SQLAlchemy is not needed for --help.
        from roar_glaas.opening import open_registry

        with open_registry(settings_of(data, database)) as found:
            return command(database=found, **words)

    return opened


def at_registry(command: Command) -> Command:
    """A command that is given `data` and `database` as they were told: it opens what it needs."""
    database = click.option("--database", metavar="URL", help="PostgreSQL, as for serve.")
    data = click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="GLAAS_DATA",
        help="Directory of the registry; $GLAAS_DATA, else ~/.local/share/glaas.",
    )
    return data(database(command))


def settings_of(data: Path | None, database: str | None, **flags: Any) -> Settings:
    """The settings of the registry that is meant; `flags` that are None say nothing.

    Without a directory it is that below $XDG_DATA_HOME. Raises GlaasError.
    """
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return read_settings(data or Path(home, "glaas"), os.environ, {"database": database, **flags})


json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def counted(lines: Iterable[bytes], what: str) -> Iterator[bytes]:
    """The same lines; a terminal is told on stderr how many there were so far."""
    is_terminal = sys.stderr.isatty()
    number = 0
    for number, line in enumerate(lines, 1):
        if is_terminal and number % _TOLD_EVERY == 0:
            click.echo(f"\r{what} {number:,} lines", err=True, nl=False)
        yield line
    if is_terminal and number >= _TOLD_EVERY:
        click.echo(f"\r{what} {number:,} lines", err=True)


def tell(document: dict[str, Any], kind: str, as_json: bool, sentence: str) -> None:
    """One thing, to stdout: a sentence for people, or JSON that begins with schema and type."""
    if as_json:
        click.echo(json.dumps({"schema": 1, "type": kind, **document}, ensure_ascii=False))
    else:
        click.echo(sentence)


def tell_all(
    rows: Sequence[dict[str, Any]], kind: str, columns: Sequence[str], as_json: bool
) -> None:
    """Many things, to stdout: a table of `columns` for people, or JSON with everything."""
    if as_json:
        document = {"schema": 1, "type": kind, kind: list(rows)}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    titles = [column.removeprefix("is_").replace("_", " ").upper() for column in columns]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for line in [titles, *cells]:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def read_password(prompt: str) -> str:
    """A password: typed twice at a terminal, else one line of stdin. Never an argument."""
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise GlaasError("no password came on stdin")
    return line


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "-"
    return "-" if value is None or value == "" else str(value)
