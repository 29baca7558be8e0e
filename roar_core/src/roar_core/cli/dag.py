"""`roar dag`: the graph of a session."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from roar_core.cli import output
from roar_core.cli.opening import open_project
from roar_core.garbage import collection_paused
from roar_core.lineage.session import count_steps, find_session
from roar_core.lineage.tasks import task_counts
from roar_core.store.database import Database

if TYPE_CHECKING:
    import sqlite3

    from roar_core.cli.documents import Document
    from roar_core.lineage.dag import Node
    from roar_core.lineage.session import Session
    from roar_core.model.job import Job
    from roar_core.project import Project

_DEFAULT_LIMIT = 50


@click.command()
@click.option("--show-artifacts", is_flag=True, help="List what each step read and wrote.")
@click.option(
    "--all", "everything", is_flag=True, help=f"Every step, not the newest {_DEFAULT_LIMIT}."
)
@click.option("--session", type=click.IntRange(1), help="A session before the current one.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document, of every step.")
def dag(show_artifacts: bool, everything: bool, session: int | None, as_json: bool) -> None:
    """Draw the graph of the session: a line for each step, and after the arrow what it read from.

    A step shows its newest succeeded attempt. `@1.1` after the arrow: it read what the first
    attempt at @1 wrote, and @1 has been run again since with another result.

    Example: roar dag --show-artifacts
    """
    with collection_paused(), open_project(_face(show_artifacts)) as (project, database):
        with database.reading() as db:
            found = find_session(db, session)
            nodes, hidden = _read(db, found, whole=everything or as_json)
            uids = _outside_uids(db, nodes)
            jobs = _full_jobs(database, nodes) if show_artifacts else {}
            names = _producer_names(db, jobs)
            tasks = task_counts(db)
        if as_json:
            output.data(_document(found, nodes, uids, jobs, project))
        elif nodes:
            _draw(nodes, uids, jobs, names, tasks, project, hidden)
        else:
            where = f"session {found.number}" if found else "this project"
            output.note(f"nothing is recorded in {where} yet; start with: roar run <your command>")


def _face(show_artifacts: bool) -> type[Database]:
    """How much of the store is needed: the edges come with whole jobs."""
    if not show_artifacts:
        return Database
    from roar_core.store.queries import Queries

    return Queries


def _read(
    db: sqlite3.Connection, session: Session | None, *, whole: bool
) -> tuple[list[Node], int]:
    """The steps to show, and how many earlier ones are not among them."""
    from roar_core.lineage.read import newest_graph, whole_graph

    if session is None:
        return [], 0
    if whole:
        return whole_graph(db, session.number), 0
    nodes = newest_graph(db, session.number, _DEFAULT_LIMIT)
    return nodes, sum(count_steps(db, session.number)) - len(nodes)


def _outside_uids(db: sqlite3.Connection, nodes: Sequence[Node]) -> dict[int, str]:
    """The uids of sources that have no step in this session, which is what they are called by."""
    from roar_core.lineage.session import uid_of

    outside = {source.job for node in nodes for source in node.sources if source.place is None}
    return {job: uid_of(db, job) for job in outside}


def _full_jobs(store: Database, nodes: Sequence[Node]) -> dict[str, Job]:
    from roar_core.store.queries import Queries

    assert isinstance(store, Queries)
    return {node.shown.uid: store.job(node.shown.uid) for node in nodes}


def _producer_names(db: sqlite3.Connection, jobs: dict[str, Job]) -> dict[str, str]:
    """What the producers of these jobs' inputs are called, by uid."""
    from roar_core.lineage.session import jobs_by_uid

    uids = {edge.producer for job in jobs.values() for edge in job.inputs if edge.producer}
    return {uid: row.reference for uid, row in jobs_by_uid(db, uids).items()}


def _document(
    session: Session | None,
    nodes: Sequence[Node],
    uids: dict[int, str],
    jobs: dict[str, Job],
    project: Project,
) -> Document:
    from roar_core.cli.dag_view import reference
    from roar_core.cli.documents import (
        document,
        edge_document,
        link_documents,
        session_document,
        step_document,
    )

    def step(node: Node) -> Document:
        fields = step_document(node)
        job = jobs.get(node.shown.uid)
        if job is not None:
            fields["inputs"] = [edge_document(edge, project) for edge in job.inputs]
            fields["outputs"] = [edge_document(edge, project) for edge in job.outputs]
        return fields

    return document(
        "dag",
        session=session and session_document(session),
        steps=[step(node) for node in nodes],
        edges=link_documents(nodes, partial(reference, uids=uids)),
    )


def _draw(
    nodes: Sequence[Node],
    uids: dict[int, str],
    jobs: dict[str, Job],
    names: dict[str, str],
    tasks: dict[str, int],
    project: Project,
    hidden: int,
) -> None:
    from roar_core.cli.dag_view import step_lines
    from roar_core.cli.edge_view import edge_lines

    if hidden > 0:
        output.line(f"{output.symbol('…', '...')} {hidden:,} earlier: --all")
    for node, text in zip(nodes, step_lines(nodes, uids, tasks), strict=True):
        output.line(text)
        job = jobs.get(node.shown.uid)
        if job is not None:
            for mark, edges in (("<", job.inputs), (">", job.outputs)):
                for line in edge_lines(edges, project, names, limit=None):
                    output.line(f"    {mark} {line}")
