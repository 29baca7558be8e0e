"""`glaas export` and `glaas import`: everything that is registered, as a file, and back."""

from __future__ import annotations

from pathlib import Path

import click

from roar_glaas.cli.options import at_registry, counted, settings_of
from roar_glaas.errors import GlaasError


@click.command("export")
@at_registry
@click.option("--public", "only_public", is_flag=True, help="Only what everybody may see.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def export_all(data: Path | None, database: str | None, only_public: bool, file: Path) -> None:
    """Write all that is registered as lines of JSON.

    FILE is written; - is standard output. Passwords, tokens and keys are not in it. Programs get
    what they may read from /api/v1/export, in the same format.

    \b
    Examples:
      glaas export everything.jsonl
      glaas export --public - | gzip > public.jsonl.gz
    """
    from roar_glaas.access.caller import ANYBODY
    from roar_glaas.exchange.exporting import everybody, export
    from roar_glaas.opening import open_existing

    with open_existing(settings_of(data, database)) as opened:
        try:
            with opened.read() as connection, click.open_file(str(file), "wb") as out:
                caller = ANYBODY if only_public else everybody(connection)
                for line in counted(export(connection, caller), "wrote"):
                    out.write(line)
        except OSError as error:
            raise GlaasError(f"{file} cannot be written: {error.strerror}") from error


@click.command("import")
@at_registry
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def import_all(data: Path | None, database: str | None, file: Path) -> None:
    """Register what an export holds, in an empty registry.

    FILE is the export; - is standard input. Whole, or not at all. Accounts come without their
    passwords: set them with `glaas user password`.

    \b
    Examples:
      glaas import everything.jsonl --data /srv/glaas-new
      zcat public.jsonl.gz | glaas import -
    """
    from roar_glaas.exchange.importing import import_lines
    from roar_glaas.opening import open_registry

    with open_registry(settings_of(data, database)) as opened:
        try:
            with click.open_file(str(file), "rb") as lines, opened.append() as connection:
                found = import_lines(connection, counted(lines, "read"))
        except OSError as error:
            raise GlaasError(f"{file} cannot be read: {error.strerror}") from error
    click.echo(f"registered {found.sessions} sessions, {found.jobs} jobs, {found.labels} labels")
