"""`glaas backup` and `glaas restore`: a registry in one file, and back."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roar_glaas.cli.options import at_registry, json_option, settings_of, tell
from roar_glaas.errors import GlaasError

if TYPE_CHECKING:
    from roar_glaas.backup.contents import Note


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@json_option
@at_registry
def backup(file: Path, as_json: bool, data: Path | None, database: str | None) -> None:
    """Back up a registry while it is in use.

    All of it goes into FILE, or to stdout for -. The file is an SQLite database (mode 0600) that
    `glaas restore` takes on SQLite and on PostgreSQL. In it: everything registered, the log,
    accounts with hashes of passwords and tokens, and the private key that signs the log. Not in it:
    glaas.toml. Keep it as you keep a key.

    \b
    Examples:
      glaas backup glaas-monday
      glaas backup - | zstd > glaas-monday.zst
    """
    from roar_glaas.backup.taking import take_backup
    from roar_glaas.opening import open_existing

    settings = settings_of(data, database)
    is_piped = str(file) == "-"
    if is_piped and sys.stdout.isatty():
        raise GlaasError("a backup is no text for a terminal; name a file, or a pipe")
    try:
        with (
            open_existing(settings) as opened,
            tempfile.TemporaryDirectory(dir=settings.data, prefix=".backup-") as folder,
        ):
            target = Path(folder) / "backup" if is_piped else file
            note = take_backup(opened, settings.data, target, _progress)
            if is_piped:
                with target.open("rb") as written:
                    while piece := written.read(1 << 20):
                        sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
    except OSError as error:
        raise GlaasError(f"the backup cannot be written: {error.strerror}") from error
    _progress_ends()
    if is_piped:
        click.echo(f"backed up {_told(note)}", err=True)
    else:
        tell(_document(note), "backup", as_json, f"backed up {_told(note)}")
    if note.key is None:
        click.echo(
            "glaas: the key that signs the log is not on this host, and so not in the backup; "
            "keep tree-head.key beside it",
            err=True,
        )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@json_option
@at_registry
def restore(file: Path, as_json: bool, data: Path | None, database: str | None) -> None:
    """Restore a backup into an empty place.

    FILE is the backup, or - for stdin. Every table's rows are counted, and the log's root is
    computed anew and compared with the one noted in the backup. `glaas verify` then checks every
    record.

    \b
    Examples:
      glaas restore glaas-monday --data /srv/glaas-restored
    """
    from roar_glaas.backup.restoring import restore_backup

    settings = settings_of(data, database)
    if str(file) == "-":
        note = restore_backup(sys.stdin.buffer, "stdin", settings, _progress)
    else:
        try:
            opened = file.open("rb")
        except OSError as error:
            raise GlaasError(f"{file} cannot be read: {error.strerror}") from error
        with opened:
            note = restore_backup(opened, str(file), settings, _progress)
    _progress_ends()
    tell(_document(note), "restored", as_json, f"restored {_told(note)}")
    if note.key is None:
        click.echo(
            f"glaas: the backup has no key; put tree-head.key into {settings.data} before serving",
            err=True,
        )


def _document(note: Note) -> dict[str, Any]:
    return {
        "taken_at_us": note.taken_at_us,
        "counts": dict(note.counts),
        "log_size": note.log_size,
        "log_root": note.log_root.hex(),
    }


def _told(note: Note) -> str:
    counts = note.counts
    taken = datetime.fromtimestamp(note.taken_at_us // 1_000_000, UTC)
    return (
        f"{counts['session']} sessions, {counts['job']} jobs, {counts['artifact']} artifacts, "
        f"as of {taken:%Y-%m-%d %H:%M:%S} UTC; "
        f"the log has {note.log_size} records and the root {note.log_root.hex()}"
    )


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{what} …", err=True, nl=False)


def _progress_ends() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
