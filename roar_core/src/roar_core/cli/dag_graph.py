"""The graph of a session as nodes and edges to be drawn: which there are, and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import attrs

from roar_core.cli import output, wording
from roar_core.cli.edge_view import composite_words
from roar_core.cli.task_view import group_words, worst_state
from roar_core.lineage.graph import Graph, GraphEdge, GraphNode

if TYPE_CHECKING:
    from roar_core.cli.dag_reading import View
    from roar_core.lineage.session import JobRow
    from roar_core.lineage.tasks import TaskGroup
    from roar_core.model.job import Edge, Job
    from roar_core.project import Project

# Columns of a line in a node: the page lays nodes out for lines no longer than this.
LINE_WIDTH = 34


class Artifacts(NamedTuple):
    """What jobs read and wrote: an edge that stands for each artifact, its paths, who touched it.

    All are by the artifact's id in the graph, but `ids`; jobs are called by their uids.
    """

    known: dict[str, Edge]
    paths: dict[str, dict[str, None]]
    writers: dict[str, list[str]]
    readers: dict[str, list[str]]
    ids: dict[tuple[str, ...], str]

    def id_of(self, job: Job, edge: Edge) -> str:
        """The id of an edge's artifact: one for the same bytes, one for each unknown content."""
        return self.ids[_key(job, edge)]


def job_id(row: JobRow) -> str:
    """The id of a job in the graph."""
    return f"j{row.id}"


def group_id(driver: str, number: int) -> str:
    """The id of a group of tasks: the `number`th of a job whose id in the graph is `driver`."""
    return f"{driver}t{number}"


def steps_graph(view: View) -> Graph:
    """A node for each step, for each other job that was read from, for the tasks below a step."""
    edges = [
        GraphEdge(
            f"j{source.job}",
            job_id(node.shown),
            wording.count(source.artifacts, "artifact"),
            source.is_superseded,
        )
        for node in view.nodes
        for source in node.sources
    ]
    return Graph(tuple(_job_nodes(view)), (*edges, *_task_ties(view)))


def gather(jobs: Iterable[Job]) -> Artifacts:
    """Every artifact that these jobs touched, in the order in which they did."""
    found = Artifacts({}, {}, {}, {}, {})
    for job in jobs:
        for edges, users in ((job.inputs, found.readers), (job.outputs, found.writers)):
            for edge in edges:
                name = found.ids.setdefault(_key(job, edge), f"a{len(found.ids) + 1}")
                found.known.setdefault(name, edge)
                found.paths.setdefault(name, {})[edge.path] = None
                users.setdefault(name, []).append(job.uid)
    return found


def drawn_jobs(view: View) -> dict[str, str]:
    """The node that a job stands in, by its uid: of a task its group, or its driver's own."""
    rows = [*view.others.values(), *(node.shown for node in view.nodes)]
    ids = {row.uid: job_id(row) for row in rows}
    tasks = {
        row.job.uid: group_id(ids[driver], number) if number in shown else ids[driver]
        for driver, groups in view.groups.items()
        for shown in [dict(shown_groups(view, driver))]
        for number, group in enumerate(groups)
        for row in group.rows
    }
    return ids | tasks


def artifacts_graph(view: View) -> Graph:
    """Like `steps_graph`, with a node for each artifact between those who wrote and read it.

    The view's jobs must have been read in full.
    """
    jobs = (*view.jobs.values(), *view.task_jobs.values())
    artifacts = gather(jobs)
    ids = drawn_jobs(view)
    places = {_place(node.shown): job_id(node.shown) for node in view.nodes}
    superseded = {
        (f"j{source.job}", job_id(node.shown))
        for node in view.nodes
        for source in node.sources
        if source.is_superseded
    }
    edges: dict[tuple[str, str], GraphEdge] = {}

    def drawn(uid: str) -> str | None:
        """The node of a job, else of its driver, else of the attempt that is shown for it."""
        row = view.producers.get(uid)
        stand_in = places.get(_place(row)) if row and not view.is_expanded else None
        return ids.get(uid) or (row and ids.get(row.uid)) or stand_in

    def tie(source: str, target: str, label: str = "", *, old: bool = False) -> None:
        edges.setdefault((source, target), GraphEdge(source, target, label, old))

    for job in jobs:
        for edge in job.outputs:
            tie(ids[job.uid], artifacts.id_of(job, edge))
    for job in jobs:
        for edge in job.inputs:
            name, reader = artifacts.id_of(job, edge), ids[job.uid]
            makers = {drawn(uid) for uid in (edge.producer, *edge.further_producers) if uid}
            old = any((maker, reader) in superseded for maker in makers)
            tie(name, reader, old=old)
            written = {ids[uid] for uid in artifacts.writers.get(name, ())}
            for maker in sorted(maker for maker in makers - written if maker):
                # A part of the dataset, or bytes whose writer is no step of this graph.
                tie(maker, name, "a part" if edge.composite else "", old=old)
    drawings = [
        GraphNode(
            name,
            "dataset" if edge.composite else "artifact",
            artifact_lines(edge, view.project, len(artifacts.paths[name])),
        )
        for name, edge in artifacts.known.items()
    ]
    return Graph((*_job_nodes(view), *drawings), (*edges.values(), *_task_ties(view)))


def artifact_lines(edge: Edge, project: Project, paths: int) -> tuple[str, ...]:
    """The end of a path, and how much it is: of a dataset, how many members; `paths` it had."""
    path = project.relative(edge.path) or edge.path
    amount = wording.size(edge.size)
    also = f", {paths} paths" if paths > 1 else ""
    if edge.composite:
        use = edge.composite
        if use.is_whole and use.members is not None:
            use = attrs.evolve(use, touched=use.members)  # how much was touched is the job's affair
        return (_ending(path + "/"), _fit(composite_words(use)), amount + also)
    return (_ending(path), f"{amount}, {wording.short_hash(edge.hash)}{also}")


def _job_nodes(view: View) -> Iterator[GraphNode]:
    """The other jobs, then the steps in order, each followed by the tasks below it."""
    number = view.session.number if view.session else None
    for row in view.others.values():
        if row.session == number and row.place:
            name, remark = row.place.exact, "undone" if row.state == "undone" else "superseded"
        else:
            name, remark = wording.short_uid(row.uid), f"session {row.session}"
        yield GraphNode(job_id(row), "other", (_heading(row, name), remark), row.state)
    for node in view.nodes:
        row = node.shown
        lasted = "" if row.duration_s is None else f" in {wording.duration(row.duration_s)}"
        ended = f"{wording.ending(row.state, row.exit_code, row.signal)}{lasted}"
        lines = (
            _heading(row, wording.short_label(view.label(node))),
            _fit(f"{row.inputs:,} in, {row.outputs:,} out"),
            _fit(ended if row.is_complete else f"{ended}, partial"),
            *([_fit(f"at {registry}")] if (registry := wording.registry_in(row.origin)) else ()),
        )
        yield GraphNode(job_id(row), "job", lines, row.state)
        for index, group in shown_groups(view, row.uid):
            yield _group_node(group_id(job_id(row), index), group)


def _group_node(name: str, group: TaskGroup) -> GraphNode:
    lines = (_fit(f"{group.name} ×{group.number:,}"), _fit(group_words(group)))
    return GraphNode(name, "tasks", lines, worst_state(group))


def _task_ties(view: View) -> Iterator[GraphEdge]:
    for node in view.nodes:
        driver = job_id(node.shown)
        groups = dict(shown_groups(view, node.shown.uid))
        ids = {group.name: group_id(driver, index) for index, group in groups.items()}
        for name in ids.values():
            yield GraphEdge(driver, name, "tasks")
        for tie in view.ties.get(node.shown.uid, ()):
            # What the driver itself got lies on the way of what it started.
            if tie.taker in ids and tie.giver in ids and tie.taker != tie.giver:
                words = wording.count(tie.number, "result")
                yield GraphEdge(ids[tie.giver], ids[tie.taker], words)


def shown_groups(view: View, driver: str) -> Iterator[tuple[int, TaskGroup]]:
    """The groups below a job that are drawn, by their numbers: the platform's own on demand."""
    for index, group in enumerate(view.groups.get(driver, ())):
        if view.is_expanded or not group.is_hidden:
            yield index, group


def _heading(row: JobRow, name: str) -> str:
    return _fit(f"{name} {wording.title(row.name, row.command)}")


def _fit(text: str) -> str:
    return wording.fit(text, LINE_WIDTH)


def _ending(path: str) -> str:
    """The last columns of a path, which tell more than the first."""
    shown = output.printable(path)
    if wording.display_width(shown) <= LINE_WIDTH:
        return shown
    kept = shown[1 - LINE_WIDTH :]
    while wording.display_width(kept) >= LINE_WIDTH:
        kept = kept[1:]
    return f"…{kept}"


def _place(row: JobRow) -> tuple[object, ...]:
    return (row.uid,) if row.place is None else (row.session, *row.place.step)


def _key(job: Job, edge: Edge) -> tuple[str, ...]:
    if edge.hash:
        # Empty files are all alike and tie nobody: the store, too, goes by their paths.
        return (edge.hash, edge.path) if edge.size == 0 else (edge.hash,)
    # An object may be known by its store's etag alone; unknown bytes are nobody else's.
    digests = [f"{name}:{value}" for name, value in sorted(edge.digests.items())]
    return (*digests, str(edge.size)) if digests else (job.uid, edge.path)
