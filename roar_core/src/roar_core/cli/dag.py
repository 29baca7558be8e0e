"""`roar dag`: the graph of a session."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.dag_reading import DEFAULT_LIMIT, Wanted, face, read_view
from roar_core.cli.opening import open_project
from roar_core.cli.registry.resolving import Opened, answered, remote_option
from roar_core.cli.staleness import keep_learnt, tell_open
from roar_core.errors import UsageError
from roar_core.garbage import collection_paused

if TYPE_CHECKING:
    from roar_core.cli.dag_reading import View
    from roar_core.cli.documents import Document
    from roar_core.lineage.dag import Node

DRAWN = ("html", "mermaid", "dot")
# Attempts that are listed of tasks of one name.
ATTEMPTS_LIMIT = 20


@click.command()
@click.option("--show-artifacts", is_flag=True, help="List what each step read and wrote.")
@click.option(
    "--expand",
    "--expanded",
    "expanded",
    is_flag=True,
    help="Every attempt at a step or task by itself.",
)
@click.option(
    "--all", "everything", is_flag=True, help=f"Every step, not the newest {DEFAULT_LIMIT}."
)
@click.option("--stale-only", is_flag=True, help="Only steps that are stale, with every reason.")
@click.option(
    "--session",
    metavar="N|HASH",
    help="A session before the current one; with --remote also the hash or page of one there.",
)
@remote_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document, of every step.")
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flowchart, of every step.")
@click.option("--dot", is_flag=True, help="Print a graph for Graphviz, of every step.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write a page to look around in, of every step.",
)
def dag(
    show_artifacts: bool,
    expanded: bool,
    everything: bool,
    stale_only: bool,
    session: str | None,
    remote: bool,
    as_json: bool,
    mermaid: bool,
    dot: bool,
    html: str | None,
) -> None:
    """Draw the graph of the session: a line for each step, and after the arrow what it read from.

    A step shows its newest succeeded attempt. `@1.1` after the arrow: it read what the first
    attempt at @1 wrote, and @1 has been run again since with another result. A step is stale when
    what it read, files, code or another step's result, is not what it would read today; of many
    steps only the newest are looked at unless --stale-only asks for all. With --remote the
    jobs elsewhere that the steps came from are drawn too, each with where it is known from.

    Examples: roar dag --show-artifacts; roar dag --stale-only; roar dag --html dag.html
    """
    form = _form(json=as_json, mermaid=mermaid, dot=dot, html=html is not None)
    if stale_only and expanded:
        raise click.UsageError("--stale-only is about steps, --expanded about attempts; choose one")
    if stale_only and remote:
        raise click.UsageError("--stale-only is about files here, of which no registry knows")
    wanted = Wanted(
        whole=everything or form != "text" or stale_only,
        in_full=show_artifacts or form == "html",
        with_ties=form in DRAWN,
        expanded=expanded,
        stale_only=stale_only,
        with_before=remote,
    )
    with collection_paused():
        view = _read(session, wanted, remote=remote)
        keep_learnt(view.project, view.stale.learnt)
        if form == "json":
            output.data(_document(view))
        elif view.judged and not view.nodes:
            output.note(f"no step is stale, of {len(view.judged):,}")
        elif not view.nodes:
            where = f"session {view.session.number}" if view.session else "this project"
            output.note(f"nothing is recorded in {where} yet; start with: roar run <your command>")
        elif form == "text":
            _draw(view, with_reasons=stale_only, everything=everything)
        elif html is not None:
            _write_page(view, html, with_artifacts=show_artifacts)
        else:
            _print_drawing(view, form, with_artifacts=show_artifacts)
        if stale_only and form != "json":
            tell_open(view.judged, view.stale.verdicts, view.project)


def _read(session: str | None, wanted: Wanted, *, remote: bool) -> View:
    """The view of a session here, or of one that a registry is asked for."""
    number = _number(session)
    if not remote and (session is None or number is not None):
        with open_project(face(wanted)) as (project, database):
            return read_view(database, project, number, wanted)
    from roar_core.lineage.target import find_target

    def ask(opened: Opened) -> View:
        target = find_target(opened.store, opened.refs[0], opened.project)
        if target.kind != "session":
            raise UsageError(f"{session!r} is no session; it is told by: roar lineage {session}")
        asked = int(target.name.partition(":")[2])
        return read_view(opened.store, opened.project, asked, wanted)

    ref = session if session is not None and number is None else f"session:{number or 'current'}"
    return answered([ref], "upstream", ask, remote=remote)


def _number(session: str | None) -> int | None:
    """The number of a session here; None of the current one, and of what only a registry knows."""
    if session is None:
        return None
    from roar_core.registry.resolving.names import digits_in, is_url

    if digits_in(session) or is_url(session):
        return None
    if not session.isascii() or not session.isdigit() or int(session) < 1:
        raise click.BadParameter(
            f"{session!r} is neither a number nor the hash or page of a session",
            param_hint="--session",
        )
    return int(session)


def _form(**chosen: bool) -> str:
    """The one form that was asked for; raises `UsageError` when there are two."""
    forms = [name for name, is_chosen in chosen.items() if is_chosen]
    if len(forms) > 1:
        names = " and ".join(f"--{name}" for name in forms)
        raise click.UsageError(f"{names} are different forms of the graph; choose one")
    return forms[0] if forms else "text"


def _document(view: View) -> Document:
    from roar_core.cli.dag_view import reference
    from roar_core.cli.documents import (
        document,
        edge_document,
        link_documents,
        session_document,
        step_document,
        task_group_document,
    )
    from roar_core.cli.staleness import verdict_fields

    def step(node: Node) -> Document:
        verdict = view.stale.verdicts.get(node.shown.id)
        fields = step_document(node) | verdict_fields(verdict, view.project)
        job = view.jobs.get(node.shown.uid)
        if job is not None:
            fields["inputs"] = [edge_document(edge, view.project) for edge in job.inputs]
            fields["outputs"] = [edge_document(edge, view.project) for edge in job.outputs]
        if view.is_expanded and node.shown.uid in view.groups:
            fields["tasks"] = [task_group_document(g) for g in view.groups[node.shown.uid]]
        return fields

    return document(
        "dag",
        session=view.session and session_document(view.session),
        steps=[step(node) for node in view.nodes],
        edges=link_documents(
            view.nodes,
            view.label,
            partial(reference, uids=view.uids, exact=view.is_expanded),
        ),
    )


def _draw(view: View, *, with_reasons: bool, everything: bool) -> None:
    from roar_core.cli.dag_view import step_lines
    from roar_core.cli.edge_view import edge_lines
    from roar_core.cli.staleness import reason_words, stale_remark
    from roar_core.cli.task_view import NAMES_LIMIT, group_lines

    if view.hidden > 0:
        output.line(f"{output.symbol('…', '...')} {view.hidden:,} earlier: --all")
    names = {uid: row.reference for uid, row in view.producers.items()}
    counts = {
        uid: sum(group.number for group in groups if not group.is_hidden)
        for uid, groups in view.groups.items()
    }
    labels = [wording.short_label(view.label(node)) for node in view.nodes]
    lines = step_lines(view.nodes, labels, view.uids, counts, exact=view.is_expanded)
    for node, text in zip(view.nodes, lines, strict=True):
        verdict = view.stale.verdicts.get(node.shown.id)
        reasons = verdict.reasons if verdict else ()
        output.line(text if with_reasons else text + stale_remark(reasons, view.project))
        for reason in reasons if with_reasons else ():
            output.line(f"    {output.style(reason_words(reason, view.project), 'yellow')}")
        limits = (None, None) if everything else (NAMES_LIMIT, ATTEMPTS_LIMIT)
        groups = view.groups.get(node.shown.uid, ())
        for line in group_lines(groups, limits[0], expanded=view.is_expanded, most=limits[1]):
            output.line(f"    {line}")
        job = view.jobs.get(node.shown.uid)
        if job is not None:
            for mark, edges in (("<", job.inputs), (">", job.outputs)):
                for line in edge_lines(edges, view.project, names, limit=None):
                    output.line(f"    {mark} {line}")


def _print_drawing(view: View, form: str, *, with_artifacts: bool) -> None:
    from roar_core.cli.dag_graph import artifacts_graph, steps_graph

    graph = artifacts_graph(view) if with_artifacts else steps_graph(view)
    if form == "dot":
        from roar_core.lineage.dot import dot_lines

        lines = dot_lines(graph)
    else:
        from roar_core.lineage.mermaid import mermaid_lines

        lines = mermaid_lines(graph)
    for line in lines:
        output.line(line)


def _write_page(view: View, target: str, *, with_artifacts: bool) -> None:
    from roar_core.cli.dag_page import page_of, write_whole

    write_whole(target, page_of(view, with_artifacts=with_artifacts))
    output.tell(f"{target} shows {wording.count(len(view.nodes), view.noun)}; open it in a browser")
