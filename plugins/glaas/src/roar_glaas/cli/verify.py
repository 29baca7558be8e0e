"""`glaas verify`: replay a registry's log, and say in sentences what does not hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roar_glaas.cli.options import at_registry, settings_of

if TYPE_CHECKING:
    from roar_glaas.audit.inside import Report


@click.command()
@at_registry
@click.option("--url", help="Check a registry from outside, over HTTP.")
@click.option(
    "--remember",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --url: compare with the tree head kept in FILE, and keep the new one.",
)
@click.option("--entries", is_flag=True, help="With --url: read every leaf, compute the root.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(
    context: click.Context,
    data: Path | None,
    database: str | None,
    url: str | None,
    remember: Path | None,
    entries: bool,
    as_json: bool,
) -> None:
    """Check that a registry says what it said.

    Exit status 0 when it does, 1 when not. From its database: every leaf, every inner node, the
    root at every signed tree head, every signature, and that the rows say what the records say,
    with none missing and none too many. From outside (--url): signatures, the keys' history, and
    that it continues what FILE remembers.

    \b
    Examples:
      glaas verify
      glaas verify --url https://glaas.example.org --remember seen.json
    """
    if url is None and (remember is not None or entries):
        raise click.UsageError("--remember and --entries go with --url")
    if url is not None and (data is not None or database is not None):
        raise click.UsageError("--url is another registry than --data and --database name")
    if url is not None:
        from roar_glaas.audit.outside import audit_url

        report = audit_url(url, remember, read_entries=entries)
    else:
        report = _from_database(data, database)
    if as_json:
        click.echo(json.dumps(_document(report), indent=1))
    else:
        _tell(report)
    context.exit(1 if report.findings.count else 0)


def _from_database(data: Path | None, database: str | None) -> Report:
    from roar_glaas.audit.inside import audit_database
    from roar_glaas.opening import open_existing

    is_terminal = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if is_terminal:
            click.echo(f"\r{done} of {total} records", err=True, nl=done == total)

    with open_existing(settings_of(data, database)) as opened, opened.read() as connection:
        return audit_database(connection, progress)


def _document(report: Report) -> dict[str, Any]:
    findings = report.findings
    return {
        "schema": 1,
        "type": "verification",
        "ok": not findings.count,
        "size": report.size,
        "root": report.root,
        "heads": report.heads,
        "keys": report.keys,
        "records": report.records,
        "withheld": report.withheld,
        "unknownKinds": report.unknown,
        "problemCount": findings.count,
        "problems": [{"leaf": one.leaf, "message": one.message} for one in findings.found],
    }


def _tell(report: Report) -> None:
    findings = report.findings
    for one in findings.found:
        click.echo(one.message)
    if findings.count > len(findings.found):
        click.echo(f"and {findings.count - len(findings.found)} more")
    if report.unknown:
        kinds = ", ".join(report.unknown)
        click.echo(f"of records of kind {kinds} only the leaves were checked", err=True)
    verdict = "everything holds"
    if findings.count:
        verdict = "1 problem" if findings.count == 1 else f"{findings.count} problems"
    keys = "1 key" if len(report.keys) == 1 else f"{len(report.keys)} keys"
    withheld = f", {report.withheld} withheld" if report.withheld else ""
    click.echo(
        f"{report.size} records{withheld}, {report.heads} signed tree heads, "
        f"{keys}, root {report.root}: {verdict}"
    )
