"""`roar import`: lineage that was recorded in another project."""

from __future__ import annotations

import sys
import time

import click

from roar_core.cli import output, wording
from roar_core.errors import RoarError
from roar_core.project import initialise, recordable_project, working_directory


@click.command(name="import")
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def import_(file: str, as_json: bool) -> None:
    """Add the jobs and artifacts of a graph that `roar export --format json` wrote elsewhere.

    Paths that were inside that project are those of this one. The jobs keep their names, belong to
    sessions of their own (session:-1 …) and are marked as imported; importing twice adds nothing.
    `-` reads stdin.

    Example: roar import model.graph.json
    """
    from roar_core.export.entering import import_graph
    from roar_core.export.reading import GraphFile
    from roar_core.store.writer import Store

    if file == "-":
        if sys.stdin is None:
            raise RoarError("there is no graph to read: standard input is closed")
        graph = GraphFile.read(sys.stdin.buffer, "the graph on stdin")
    else:
        graph = GraphFile.open(file)
    project = recordable_project(working_directory())
    initialise(project)
    with Store.open(project.roar_dir, create=True) as store:
        done = import_graph(store, graph, str(project.root), time.time_ns())
    if as_json:
        from roar_core.cli.documents import document

        output.data(
            document(
                "import",
                jobs=done.jobs,
                known=done.known,
                artifacts=done.artifacts,
                sessions=list(done.sessions),
            )
        )
        return
    known = f", {wording.count(done.known, 'job')} known already" if done.known else ""
    where = f" as {', '.join(f'session:{n}' for n in done.sessions)}" if done.sessions else ""
    output.line(
        f"imported {wording.count(done.jobs, 'job')} and"
        f" {wording.count(done.artifacts, 'artifact')}{where}{known}"
    )
