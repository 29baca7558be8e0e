"""`roar diff`: what differs between two jobs, artifacts or sessions, and what explains it."""

from __future__ import annotations

import click

from roar_core.cli import output
from roar_core.cli.registry.resolving import Opened, answered, remote_option
from roar_core.garbage import collection_paused


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--format",
    "form",
    type=click.Choice(["summary", "category", "dag"]),
    default="summary",
    help="The likeliest reasons (the default), everything by its kind, or step by step.",
)
@remote_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document, of everything.")
def diff(before: str, after: str, form: str, remote: bool, as_json: bool) -> None:
    """Compare what A and B came from, and rank what most likely explains the difference.

    A and B are steps (@3; @3.1 its first attempt), uids, hashes, paths of files or session:N; of
    artifacts the jobs that made them are compared, with all that these came from.

    Examples: roar diff @3.1 @3; roar diff old/model.pkl model.pkl --format category
    """
    from roar_core.cli.diff_findings import Findings, find_differences

    def ask(opened: Opened) -> Findings:
        one, other = opened.refs
        return find_differences(opened.store, (one, other), opened.project)

    with collection_paused():
        findings = answered([before, after], "upstream", ask, remote=remote)
    if as_json:
        from roar_core.cli.diff_document import diff_document

        output.data(diff_document(findings))
        return
    from roar_core.cli.diff_view import print_diff

    print_diff(findings, form)
