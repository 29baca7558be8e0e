"""From a graph document into the session database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from roar_core.export.incoming import component_name, nanoseconds, place_of
from roar_core.identity import BloomFilter
from roar_core.store.foreign import (
    ForeignArtifact,
    ForeignJob,
    ForeignSession,
    ForeignTask,
    bits_from,
    members_from,
)
from roar_core.store.importing import Imported, import_jobs

if TYPE_CHECKING:
    from roar_core.export.incoming import IncomingArtifact, IncomingJob, IncomingSession
    from roar_core.store.writer import Store


class Graph(Protocol):
    """A graph from elsewhere: `sessions` by id, the uids of its jobs, how many edges they have."""

    sessions: dict[str, IncomingSession]
    uids: list[str]
    edges: int

    def artifacts(self) -> Iterator[IncomingArtifact]: ...
    def jobs(self) -> Iterator[IncomingJob]: ...


def import_graph(store: Store, graph: Graph, project: str, now_ns: int) -> Imported:
    """Import a graph into the project at `project`; raises RoarError and then changes nothing."""
    digests: dict[str, Mapping[str, str]] = {}

    def artifacts() -> Iterator[ForeignArtifact]:
        for artifact in graph.artifacts():
            digests[artifact.hash] = artifact.digests
            yield _artifact(artifact)

    def jobs() -> Iterator[ForeignJob]:
        for incoming in graph.jobs():
            job = incoming.to_job(project, digests)
            task = incoming.task
            traits = None
            if task is not None:
                place = task.where or ""
                traits = ForeignTask(
                    *(task.backend, task.task, task.attempt, place),
                    *(task.role, task.group, task.declared),
                )
            bits = _bits(incoming, project)
            yield ForeignJob(job, incoming.session, bits, traits, incoming.needs)

    return import_jobs(
        store,
        {
            session.id: ForeignSession(session.id, session.number, nanoseconds(session.started_at))
            for session in graph.sessions.values()
        },
        artifacts(),
        jobs(),
        uids=graph.uids,
        edges=graph.edges,
        now_ns=now_ns,
    )


def _artifact(artifact: IncomingArtifact) -> ForeignArtifact:
    dataset = artifact.composite
    plain = ForeignArtifact(
        artifact.digests, artifact.size, nanoseconds(artifact.first_seen_at), artifact.labels
    )
    if dataset is None:
        return plain
    members = dataset.components
    return plain._replace(
        layout=dataset.layout,
        member_count=dataset.members,
        members=None
        if members is None
        else members_from((component_name(m), m.hash, m.size, m.kind) for m in members),
        bloom=None if dataset.filter is None else BloomFilter.from_wire(dataset.filter),
    )


def _bits(incoming: IncomingJob, project: str) -> dict[tuple[bool, str], bytes]:
    return {
        (is_output, place_of(edge, project)): bits_from(edge.composite.bits)
        for is_output, side in ((False, incoming.inputs), (True, incoming.outputs))
        for edge in side
        if edge.composite is not None and edge.composite.bits is not None
    }
