"""`roar rerun`: run several steps again, in the order in which they need each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from roar_core.cli import output, wording
from roar_core.cli.opening import open_project
from roar_core.cli.staleness import WHOLE, look_for_stale, reasons_line, tell_open
from roar_core.errors import NotFoundError, RefusedError, UsageError
from roar_core.lineage.session import find_session
from roar_core.lineage.stale import stale_nodes

if TYPE_CHECKING:
    import sqlite3

    from roar_core.cli.documents import Document
    from roar_core.lineage.dag import Node
    from roar_core.lineage.session import JobRow
    from roar_core.store.queries import Queries

State = Literal["planned", "succeeded", "failed", "not_run", "up_to_date"]


class Planned(NamedTuple):
    """A step to run again: how it is called, and the attempt that will be repeated.

    `why` it is stale, empty when that was not asked; `only_upstream`: it may no longer be, when
    what it reads from comes out as it was.
    """

    reference: str
    job: JobRow
    why: str = ""
    only_upstream: bool = False


class Done(NamedTuple):
    """What became of a planned step. `exit_code` is as a shell tells it, None when not run."""

    planned: Planned
    state: State
    exit_code: int | None = None


@click.command()
@click.argument("steps", nargs=-1, metavar="[@N]…")
@click.option("--stale", is_flag=True, help="Every step that is stale; see: roar dag --stale-only")
@click.option("--downstream", is_flag=True, help="Also every step that reads what these make.")
@click.option("--dry-run", is_flag=True, help="Say what would be run, and run nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what the commands print.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON document; what the commands print goes to stderr.",
)
def rerun(
    steps: tuple[str, ...],
    stale: bool,
    downstream: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run steps again, each as a new attempt: those whose results others read go first.

    It stops at the first step that fails and says what has not been run. With --stale, a step that
    was stale only because of others is left out when these come out as they were.

    Examples: roar rerun --stale --dry-run · roar rerun @2 --downstream
    """
    if stale == bool(steps):
        raise UsageError("give either --stale or steps; try: roar rerun --stale --dry-run")
    plan, left = _plan(steps, downstream=downstream, stale=stale)
    for name, kind in left:
        output.tell(f"{name} was recorded by roar {kind} and is left as it is")
    if dry_run:
        done = [Done(planned, "planned") for planned in plan]
    else:
        from roar_core.cli.processes import run_in_turn

        if not (quiet or plan):
            output.note("no step is stale; nothing is run")
        elif not quiet:
            output.tell(f"to run: {' '.join(planned.reference for planned in plan)}")
        codes = run_in_turn(
            [planned.reference for planned in plan],
            quiet=quiet,
            stdout_to_stderr=as_json,
            is_needed=lambda at: not plan[at].only_upstream or _is_stale_still(plan[at]),
        )
        done = _outcome(plan, codes)
    if as_json:
        _print_document(done, dry_run=dry_run)
    elif dry_run:
        for planned in plan:
            title = wording.title(planned.job.name, planned.job.command)
            why = f"  ({planned.why})" if planned.why else ""
            output.line(
                f"{output.style(planned.reference, 'bold')}  {output.printable(title)}{why}"
            )
    return _verdict(done)


def _plan(
    steps: Sequence[str], *, downstream: bool, stale: bool
) -> tuple[list[Planned], list[tuple[str, str]]]:
    """The steps in order, and those left alone with what recorded them."""
    from roar_core.lineage.order import downstream_of, in_order, key_of
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        asked = {_step(store, name, os.fspath(project.root)): name for name in steps}
        with store.reading() as db:
            graph = _graph(db)
            verdicts = look_for_stale(store, db, graph, project, WHOLE).verdicts if stale else {}
    nodes = {key_of(node): node for node in graph}
    wanted = {key_of(node) for node in stale_nodes(graph, verdicts)} if stale else set(asked)
    if downstream:
        wanted = downstream_of(graph, wanted)
    if stale:
        tell_open([node for node in graph if key_of(node) not in wanted], verdicts, project)
    plan: list[Planned] = []
    left: list[tuple[str, str]] = []
    for step in in_order(graph, wanted):
        node = nodes[step]
        # What is brought up to date is the attempt that stands, not a later one that failed.
        job = node.shown if stale else node.newest
        assert job.place is not None
        name = asked.get(step, str(job.place) if job.is_newest else job.place.exact)
        if job.kind not in ("run", "build"):
            if step in asked:
                raise RefusedError(
                    f"{name} was recorded by roar {job.kind}, which has no command of its own to"
                    " run again; leave it out"
                )
            left.append((name, job.kind))
            continue
        reasons = verdicts[node.shown.id].reasons if stale else ()
        only_upstream = bool(reasons) and all(r.code == "upstream_stale" for r in reasons)
        plan.append(Planned(name, job, reasons_line(reasons, project), only_upstream))
    return plan, left


def _is_stale_still(planned: Planned) -> bool:
    """Whether a step is stale now that those it reads from have been run again."""
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store), store.reading() as db:
        graph = _graph(db)
        verdicts = look_for_stale(store, db, graph, project, WHOLE).verdicts
    return any(node.shown.id == planned.job.id for node in stale_nodes(graph, verdicts))


def _graph(db: sqlite3.Connection) -> list[Node]:
    from roar_core.lineage.read import whole_graph

    session = find_session(db, None)
    return whole_graph(db, session.number) if session else []


def _step(store: Queries, name: str, root: str) -> tuple[bool, int]:
    from roar_core.model.job import Job
    from roar_core.store.references import is_step

    if not is_step(name):
        raise NotFoundError(f"{name!r} is no step: write @3, its second attempt @3.2, a build @B1")
    job = store.resolve(name, root, root)
    assert isinstance(job, Job)
    assert job.step is not None
    return not job.step.is_build, job.step.number


def _outcome(plan: Sequence[Planned], codes: Sequence[int | None]) -> list[Done]:
    done = [
        Done(planned, "up_to_date" if code is None else "failed" if code else "succeeded", code)
        for planned, code in zip(plan, codes, strict=False)
    ]
    return done + [Done(planned, "not_run") for planned in plan[len(codes) :]]


def _verdict(done: Sequence[Done]) -> int:
    """Say what failed and what remains; the exit code."""
    failed = [step for step in done if step.state == "failed"]
    remain = [step.planned.reference for step in done if step.state == "not_run"]
    if not failed and not remain:
        return 0
    ended = f"{failed[0].planned.reference} failed with exit code {failed[0].exit_code}; " * bool(
        failed
    )
    names = [step.planned.reference for step in failed] + remain
    rest = f"not run: {' '.join(remain)}; " if remain else ""
    output.error(f"{ended}{rest}go on with: roar rerun {' '.join(names)}")
    return 1


def _print_document(done: Sequence[Done], *, dry_run: bool) -> None:
    from roar_core.cli.documents import document

    steps = [_step_document(step) for step in done]
    output.data(document("rerun", dry_run=dry_run, steps=steps))


def _step_document(done: Done) -> Document:
    from roar_core.cli.documents import text

    reference, job, why, _ = done.planned
    return {
        "step": reference,
        "name": None if job.name is None else text(job.name),
        "command": [text(argument) for argument in job.command],
        "repeats": job.uid,
        "why": why or None,
        "state": done.state,
        "exit_code": done.exit_code,
    }
