"""`roar workflow`: what was recorded, as a file that says how to do it again."""

from __future__ import annotations

import click

from roar_core.cli import output


@click.group()
def workflow() -> None:
    """Make a workflow file of a session's steps.

    Example: roar workflow generate -o workflow.yaml
    """


@workflow.command()
@click.argument("ref", required=False, metavar="[REF]")
@click.option("-o", "--output", "target", metavar="FILE", help="Write to FILE, not to stdout.")
@click.option("--with-secrets", is_flag=True, help="Do not mask passwords and tokens.")
def generate(ref: str | None, target: str | None, with_secrets: bool) -> None:
    """Write the steps of the session as YAML; with REF, the steps that it came from.

    Each has its command, working directory, environment, the steps it needs, and what it read and
    wrote with the digests. Of several attempts at a step the newest that succeeded counts.

    Example: roar workflow generate model.pkl -o workflow.yaml
    """
    from roar_core.cli.export import note_masked, writing
    from roar_core.cli.opening import open_project
    from roar_core.cli.settings import current_config
    from roar_core.config.redacting import redactor_of
    from roar_core.export.graph import Options, graph_of
    from roar_core.export.workflow import write_workflow
    from roar_core.lineage.target import find_target
    from roar_core.store.writer import Store

    redactor = redactor_of(current_config(), output.warn)
    with open_project(Store) as (project, store), store.snapshot() as db:
        found = find_target(store, ref or "session:current", project)
        graph = graph_of(db, store, found, Options(False, with_secrets, redactor))
        with writing(target) as file:
            write_workflow(graph, file)
        note_masked(graph, redactor)
    if target is not None:
        output.tell(f"wrote the workflow to {target}")
