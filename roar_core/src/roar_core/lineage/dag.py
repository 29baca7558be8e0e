"""The graph of a session: one node for each step, tied by the bytes that passed between them.

A step shows its newest succeeded attempt, else its newest. A source is the job whose bytes a step
read: the attempt shown for the producing step when that wrote the same bytes, else the recorded
producer, and then the source is *superseded*: that step has been run again since with another
result, or was undone. Expanded, every attempt is a node of its own, and a source is always the
recorded producer. Pure, and linear in jobs and links: sessions have 10,000 jobs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from roar_core.lineage.session import JobRow, Link, Place


class Source(NamedTuple):
    """Where inputs of a step came from; `place` is None for a job of another session."""

    job: int
    place: Place | None
    artifacts: int
    is_superseded: bool


class Node(NamedTuple):
    """A step: the attempt that stands for it, the newest, how many there are, its sources.

    In an expanded graph `shown` is any attempt at its step.
    """

    shown: JobRow
    newest: JobRow
    attempts: int
    sources: tuple[Source, ...]


def session_graph(
    jobs: Iterable[JobRow],
    links: Iterable[Link],
    written_by: Callable[[int], Collection[int]],
    *,
    expanded: bool = False,
) -> list[Node]:
    """The steps of a session, builds first, in the order of their numbers; or all their attempts.

    `jobs` are the session's in any order; undone ones can be sources but are no nodes. `links` may
    name jobs outside the session. `written_by(job)` gives the artifacts a job wrote; it is asked
    only about steps of which an older attempt was read.
    """
    place_of = {job.id: job.place for job in jobs if job.place is not None}
    groups: dict[tuple[bool, int], list[JobRow]] = defaultdict(list)
    for job in jobs:
        if job.place is not None and job.state != "undone":
            groups[job.place.step].append(job)
    shown = {step: _representative(group) for step, group in groups.items()}
    standing = {job.id for job in shown.values()}
    drawn = {job.id for group in groups.values() for job in group} if expanded else standing
    written: dict[int, frozenset[int]] = {}

    def source_of(consumer: int, producer: int, artifact: int) -> int:
        """The shown attempt when it wrote the same bytes, else the recorded producer."""
        place = place_of.get(producer)
        current = None if place is None else shown.get(place.step)
        if current is None or current.id == consumer:
            return producer
        if artifact in outputs_of(current.id):
            return current.id
        # Of a part of a dataset the reader's artifact is the whole: then the parts must be equal.
        is_part = outputs_of(producer) and artifact not in outputs_of(producer)
        is_same = is_part and outputs_of(producer) <= outputs_of(current.id)
        return current.id if is_same else producer

    def outputs_of(job: int) -> frozenset[int]:
        if job not in written:
            written[job] = frozenset(written_by(job))
        return written[job]

    counts: dict[int, dict[int, int]] = {}
    replaced: set[tuple[int, int]] = set()
    for consumer, producer, artifact in links:
        if consumer in drawn and consumer != producer:
            sources = counts.setdefault(consumer, {})
            source = producer if producer in standing else source_of(consumer, producer, artifact)
            if source not in standing:
                replaced.add((consumer, source))
            source = producer if expanded else source
            sources[source] = sources.get(source, 0) + 1

    def sources_of(consumer: int) -> tuple[Source, ...]:
        sources = [
            Source(job, place_of.get(job), number, job in place_of and (consumer, job) in replaced)
            for job, number in counts.get(consumer, {}).items()
        ]
        return tuple(sorted(sources, key=_source_order)) if len(sources) > 1 else tuple(sources)

    return [
        Node(job, max(groups[step], key=_attempt), len(groups[step]), sources_of(job.id))
        for step in sorted(groups)
        for job in (sorted(groups[step], key=_attempt) if expanded else (shown[step],))
    ]


def _representative(group: list[JobRow]) -> JobRow:
    if len(group) == 1:
        return group[0]
    succeeded = [job for job in group if job.state == "succeeded"]
    return max(succeeded or group, key=_attempt)


def _attempt(job: JobRow) -> int:
    return job.place.attempt if job.place else 0


def _source_order(source: Source) -> tuple[bool, Place | None, int]:
    return (source.place is None, source.place, source.job)
