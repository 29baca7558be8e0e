"""What `roar dag` shows, read from the database: no more of it than the form asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from roar_core.cli.staleness import QUICK, WHOLE, Stale, look_for_stale
from roar_core.lineage.read import graph_before
from roar_core.lineage.session import count_steps, find_session, jobs_by_id, jobs_by_uid
from roar_core.lineage.stale import stale_nodes
from roar_core.lineage.tasks import drivers, drivers_of, task_groups, ties_below
from roar_core.store.stat_cache import StatCache

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.dag import Node
    from roar_core.lineage.session import JobRow, Session
    from roar_core.lineage.tasks import TaskGroup, Tie
    from roar_core.model.job import Job
    from roar_core.project import Project

DEFAULT_LIMIT = 50


class Wanted(NamedTuple):
    """How much is to be read: every step, their edges, every attempt, what tasks got of each other.

    `stale_only`: only steps that are stale, and every file is looked at to tell. `with_before`:
    also the jobs of other sessions that the steps came from.
    """

    whole: bool
    in_full: bool
    with_ties: bool
    expanded: bool
    stale_only: bool = False
    with_before: bool = False


class View(NamedTuple):
    """What is shown of a session: its steps, or attempts, in order, after what they came from.

    `others` are the jobs that were read from and are no node, by id; `hidden` earlier steps are
    left out. `groups` tell of the tasks below a job, and `ties` of the results that passed between
    them, by the job's uid. Where jobs are
    wanted in full, `jobs` has the nodes and `task_jobs` the tasks below them, by uid, and
    `producers` the jobs that wrote their inputs; in the place of a task stands its driver.
    `judged` are the steps that were looked at, with the verdicts in `stale`.
    """

    project: Project
    session: Session | None
    nodes: list[Node]
    others: dict[int, JobRow]
    hidden: int
    groups: dict[str, list[TaskGroup]]
    ties: dict[str, list[Tie]]
    jobs: dict[str, Job]
    task_jobs: dict[str, Job]
    producers: dict[str, JobRow]
    is_expanded: bool
    judged: list[Node]
    stale: Stale

    @property
    def noun(self) -> str:
        """What a node is called."""
        return "attempt" if self.is_expanded else "step"

    @property
    def uids(self) -> dict[int, str]:
        """What a source is called that is called by no step, by its id."""
        shown = {node.shown.id: node.shown.uid for node in self.nodes}
        return shown | {job: row.uid for job, row in self.others.items()}

    def is_before(self, node: Node) -> bool:
        """Whether a node is a job of another session."""
        return self.session is None or node.shown.session != self.session.number

    def label(self, node: Node) -> str:
        """`@2`, of an attempt `@2.1`; of a job of another session its uid."""
        if self.is_before(node) or node.shown.place is None:
            return node.shown.uid
        return node.shown.place.exact if self.is_expanded else str(node.shown.place)


def face(wanted: Wanted) -> type[StatCache]:
    """How much of the store is needed: edges come with whole jobs."""
    if not wanted.in_full:
        return StatCache
    from roar_core.store.writer import Store

    return Store


def read_view(store: StatCache, project: Project, number: int | None, wanted: Wanted) -> View:
    """What is to be shown of a session; None is the active one.

    Raises `NotFoundError` when there is no session of this number.
    """
    with store.reading() as db:
        session = find_session(db, number)
        judged, hidden = _nodes(db, session, wanted)
        stale = _stale(store, db, judged, project, wanted)
        nodes = stale_nodes(judged, stale.verdicts) if wanted.stale_only else judged
        if wanted.with_before:
            before, further = graph_before(db, nodes, None if wanted.whole else DEFAULT_LIMIT)
            nodes, hidden = before + nodes, hidden + further
        shown = {node.shown.id for node in nodes}
        sources = {source.job for node in nodes for source in node.sources}
        groups = _groups(db, nodes, with_rows=wanted.expanded or wanted.in_full)
        jobs, tasks = _full_jobs(store, session, nodes, groups, wanted)
        return View(
            project,
            session,
            nodes,
            jobs_by_id(db, sorted(sources - shown)),
            hidden,
            groups,
            {uid: ties_below(db, uid) for uid in groups} if wanted.with_ties else {},
            jobs,
            tasks,
            _producers(db, (*jobs.values(), *tasks.values())),
            wanted.expanded,
            judged,
            stale,
        )


def _stale(
    store: StatCache,
    db: sqlite3.Connection,
    nodes: Sequence[Node],
    project: Project,
    wanted: Wanted,
) -> Stale:
    """The verdicts over steps; of attempts that others have followed there is none."""
    # Files here say nothing of steps that were recorded elsewhere.
    if wanted.expanded or any(node.shown.origin for node in nodes):
        return Stale({}, ())
    limits = WHOLE if wanted.stale_only else QUICK
    return look_for_stale(store, db, nodes, project, limits)


def _nodes(
    db: sqlite3.Connection, session: Session | None, wanted: Wanted
) -> tuple[list[Node], int]:
    """The nodes to show, and how many earlier steps are not among them."""
    from roar_core.lineage.read import newest_graph, whole_graph

    if session is None:
        return [], 0
    if wanted.whole:
        return whole_graph(db, session.number, expanded=wanted.expanded), 0
    nodes = newest_graph(db, session.number, DEFAULT_LIMIT, expanded=wanted.expanded)
    steps = {node.shown.place.step for node in nodes if node.shown.place}
    return nodes, sum(count_steps(db, session.number)) - len(steps)


def _groups(
    db: sqlite3.Connection, nodes: Sequence[Node], *, with_rows: bool
) -> dict[str, list[TaskGroup]]:
    with_tasks = drivers(db)
    found = [node.shown.uid for node in nodes if node.shown.uid in with_tasks]
    return {uid: task_groups(db, uid, with_rows=with_rows) for uid in found}


def _full_jobs(
    store: StatCache,
    session: Session | None,
    nodes: Sequence[Node],
    groups: dict[str, list[TaskGroup]],
    wanted: Wanted,
) -> tuple[dict[str, Job], dict[str, Job]]:
    """The nodes and their tasks with everything, where that is wanted."""
    if not wanted.in_full or session is None:
        return {}, {}
    from roar_core.store.queries import Queries

    assert isinstance(store, Queries)
    shown = [node.shown.uid for node in nodes]
    if not wanted.whole:
        return {uid: store.job(uid) for uid in shown}, {}
    # One question for all of them: three times as fast as one for each.
    jobs = {job.uid: job for job in store.jobs_of_session(session.number, include_undone=True)}
    jobs |= {uid: store.job(uid) for uid in shown if uid not in jobs}
    tasks = [row.job.uid for family in groups.values() for group in family for row in group.rows]
    jobs |= {uid: store.job(uid) for uid in tasks if uid not in jobs}
    return {uid: jobs[uid] for uid in shown}, {uid: jobs[uid] for uid in tasks}


def _producers(db: sqlite3.Connection, jobs: Sequence[Job]) -> dict[str, JobRow]:
    """The jobs that wrote what these read, by uid; in the place of a task stands its driver."""
    edges = [edge for job in jobs for edge in job.inputs]
    rows = jobs_by_uid(
        db, (uid for edge in edges for uid in (edge.producer, *edge.further_producers) if uid)
    )
    driver_of = drivers_of(db, [row.id for row in rows.values() if row.kind == "task"])
    drivers = jobs_by_id(db, sorted(set(driver_of.values())))
    return {uid: drivers.get(driver_of.get(row.id, row.id), row) for uid, row in rows.items()}
