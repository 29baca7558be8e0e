"""`roar status`: the current session at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.documents import document, session_document, summary_document, text
from roar_core.cli.opening import open_project
from roar_core.garbage import collection_paused
from roar_core.lineage.session import count_states, count_steps, find_session, session_jobs
from roar_core.store.registrations import count_registered
from roar_core.store.stat_cache import StatCache

if TYPE_CHECKING:
    import sqlite3

    from roar_core.cli.documents import Document
    from roar_core.cli.staleness import Stale
    from roar_core.lineage.dag import Node
    from roar_core.project import Project

_STALE_LIMIT = 5


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def status(as_json: bool) -> None:
    """Summarise the current session, and say which of its steps are stale.

    A step is stale when a file or the code it read has changed since, when a step it read from was
    run again with another result, or when it read from a stale step. In a large session only the
    newest steps are looked at; `roar dag --stale-only` looks at all.

    Example: roar status
    """
    steps, builds, states, partial = 0, 0, dict[str, int](), 0
    last = None
    registered = ended = 0
    nodes: list[Node] = []
    stale: Stale | None = None
    with (
        collection_paused(),
        open_project(StatCache) as (project, database),
        database.reading() as db,
    ):
        session = find_session(db, None)
        if session is not None:
            steps, builds = count_steps(db, session.number)
            states, partial = count_states(db, session.number)
            registered, ended = count_registered(db, session.number)
            last = next(iter(session_jobs(db, session.number, limit=1)), None)
            nodes, stale = _stale(database, db, session.number, steps + builds, project)
    if stale is not None:
        from roar_core.cli.staleness import keep_learnt

        keep_learnt(project, stale.learnt)
    if as_json:
        output.data(
            document(
                "status",
                project=text(str(project.root)),
                session=session and session_document(session),
                steps=steps,
                builds=builds,
                jobs=states,
                partial=partial,
                unregistered=ended - registered,
                last=last and summary_document(last),
                **_stale_fields(nodes, stale, steps + builds, project),
            )
        )
        return
    _fact("project", str(project.root))
    if session is None or last is None:
        if session is not None:
            _fact("session", f"{session.number}, begun {wording.local_time(session.started_at_ns)}")
        output.note("nothing is recorded in this session yet; start with: roar run <your command>")
        return
    _fact("session", f"{session.number}, begun {wording.local_time(session.started_at_ns)}")
    counts = [wording.count(steps, "step")]
    if builds:
        counts.append(wording.count(builds, "build"))
    jobs = wording.count(sum(states.values()), "job")
    by_state = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    _fact("recorded", f"{', '.join(counts)}; {jobs}: {by_state}")
    if partial:
        _fact("coverage", f"partial for {wording.count(partial, 'job')}; see: roar log")
    if ended:
        _fact("registry", _registered_words(registered, ended))
    how = wording.ending(last.state, last.exit_code, last.signal)
    place = f"{last.place} " if last.place else ""
    _fact(
        "last",
        f"{place}{wording.title(last.name, last.command)}, {how}, "
        f"{wording.local_time(last.started_at_ns)}",
    )
    if stale is not None:
        _tell_stale(nodes, stale, steps + builds, project)


def _registered_words(registered: int, ended: int) -> str:
    """As far as this machine knows: nobody is asked."""
    if registered == ended:
        return f"{'it is' if ended == 1 else f'all {ended:,} jobs are'} registered"
    unregistered = f"{ended - registered:,} of {wording.count(ended, 'job')} unregistered"
    return f"{unregistered}; see: roar register --dry-run"


def _stale(
    store: StatCache, db: sqlite3.Connection, session: int, steps: int, project: Project
) -> tuple[list[Node], Stale]:
    """The steps that are looked at, and how they stand."""
    from roar_core.cli.staleness import QUICK, QUICK_STEPS, look_for_stale
    from roar_core.lineage.read import newest_graph, whole_graph

    if steps <= QUICK_STEPS:
        nodes = whole_graph(db, session)
    else:
        nodes = newest_graph(db, session, QUICK_STEPS)
    return nodes, look_for_stale(store, db, nodes, project, QUICK)


def _tell_stale(nodes: Sequence[Node], stale: Stale, steps: int, project: Project) -> None:
    from roar_core.cli.staleness import open_words, stale_lines

    label = "stale"
    for line in stale_lines(nodes, stale.verdicts, project, _STALE_LIMIT):
        _fact(label, line)
        label = ""
    if label:
        _fact(label, "nothing" if len(nodes) >= steps else f"none of the newest {len(nodes):,}")
    unchecked = open_words(nodes, stale.verdicts, project)
    if len(nodes) < steps:
        _fact("unchecked", f"{steps - len(nodes):,} earlier steps: roar dag --stale-only")
    elif unchecked:
        _fact("unchecked", unchecked)


def _stale_fields(
    nodes: Sequence[Node], stale: Stale | None, steps: int, project: Project
) -> Document:
    from roar_core.cli.staleness import verdict_fields

    verdicts = {} if stale is None else stale.verdicts
    told = [
        {"step": str(node.shown.place), "uid": node.shown.uid}
        | verdict_fields(verdicts[node.shown.id], project)
        for node in nodes
        if verdicts[node.shown.id].is_stale is not False
    ]
    return {
        "stale": [step for step in told if step["stale"]],
        "unchecked": [step for step in told if step["stale"] is None],
        "unchecked_earlier": max(0, steps - len(nodes)),
    }


def _fact(label: str, value: str) -> None:
    output.line(f"{output.style(f'{label:<9}', 'dim')} {output.printable(value)}")
