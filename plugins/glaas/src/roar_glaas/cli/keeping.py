"""`glaas init`, `glaas key rotate` and `glaas withhold`: what is done to a log by its keeper."""

from __future__ import annotations

from pathlib import Path

import click

from roar_glaas.cli.options import at_registry, json_option, settings_of, tell
from roar_glaas.errors import GlaasError


@click.command()
@at_registry
@click.option("--rotate-key", is_flag=True, help="Have a new key follow the one in force.")
@json_option
def init(data: Path | None, database: str | None, rotate_key: bool, as_json: bool) -> None:
    """Make a registry and the key that signs its log.

    Directory, database and key; what is there already stays. `glaas serve` does the same by itself.
    Servers on several hosts that share one PostgreSQL database need the same key: copy
    tree-head.key from the first one.

    \b
    Examples:
      glaas init --data /srv/glaas
    """
    from roar_glaas.log.signing import key_in_force
    from roar_glaas.opening import open_registry

    settings = settings_of(data, database)
    with open_registry(settings) as opened, opened.read() as connection:
        key = key_in_force(connection)
    key_id = (_rotate(data, database) if rotate_key else key).hex()
    sentence = f"{settings.data} holds a registry, whose log is signed with key {key_id}"
    tell({"data": str(settings.data), "key": key_id}, "registry", as_json, sentence)


@click.group()
def key() -> None:
    """The key that signs the log's tree heads."""


@key.command()
@json_option
@at_registry
def rotate(as_json: bool, data: Path | None, database: str | None) -> None:
    """Have a new key follow the one in force.

    The old key signs that, and is then deleted.

    Servers that run take the new key from the directory; on other hosts, copy it there first
    thing: until then they refuse what would add to the log.
    """
    new = _rotate(data, database).hex()
    tell({"key": new}, "key", as_json, f"the log is signed with key {new} from now on")


@click.command()
@click.argument("record", type=click.IntRange(0, 2**53), required=False)
@click.option("--reason", help="Why, in one line. Anybody may read it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--scrub", is_flag=True, help="Only have the database overwrite what was removed.")
@at_registry
def withhold(
    record: int | None,
    reason: str | None,
    yes: bool,
    scrub: bool,
    data: Path | None,
    database: str | None,
) -> None:
    """Destroy the bytes of one record of the log.

    RECORD is its number in the log (`logIndex` in answers, "in the log" on pages). Commands, paths,
    metadata and labels that were taken from it go too. Its leaf stays in the log, with every proof,
    and so do digests; a signed record says that it was withheld, and why. There is no way back.
    Backups and copies made before keep what they have.

    \b
    Examples:
      glaas withhold 31 --reason "the command had a password in it"
    """
    from roar_glaas.log import withholding
    from roar_glaas.log.signing import begin_log
    from roar_glaas.opening import open_existing

    settings = settings_of(data, database)
    with open_existing(settings) as opened:
        if not scrub:
            if record is None or reason is None:
                raise click.UsageError("name a record, and say why with --reason TEXT")
            signer = begin_log(opened, settings.data)
            with opened.read() as connection:
                found = withholding.find_record(connection, record)
            if not yes:
                click.confirm(
                    f"Destroy the bytes of record {record}, a {found.kind}? This cannot be undone",
                    abort=True,
                )
            with opened.append() as connection:
                done = withholding.withhold(connection, signer, record, reason)
            click.echo(
                f"record {record}, a {done.kind}, is withheld; record {done.record_index} says so"
            )
        withholding.scrub(opened)


def _rotate(data: Path | None, database: str | None) -> bytes:
    """Have a new key follow; its id."""
    from roar_glaas.log.signing import begin_log, rotate_key
    from roar_glaas.opening import open_existing

    settings = settings_of(data, database)
    with open_existing(settings) as opened:
        try:
            new = rotate_key(opened, begin_log(opened, settings.data), settings.data)
        except OSError as error:
            raise GlaasError(f"{settings.data} cannot be used: {error.strerror}") from error
    return new.id
