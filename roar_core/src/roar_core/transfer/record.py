"""The job that a transfer is in the session database: begun before the first byte, then completed.

What was moved is known exactly, so nothing is observed: objects are edges by their URLs, with the
version that the store told, files as a run has them, datasets among them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import attrs

from roar_core.config.layers import Config
from roar_core.environment.git import GitProbe
from roar_core.hashing.cache import is_settled
from roar_core.hookspecs import RemoteObject
from roar_core.model.composite import Dataset
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import GitState
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Edge, Job, JobState
from roar_core.project import Project
from roar_core.run.datasets import DatasetMaker, Touched
from roar_core.run.edges import Hasher
from roar_core.run.layouts import Layouts
from roar_core.run.record import surroundings
from roar_core.store.composites import Datasets
from roar_core.store.owner import Owner
from roar_core.store.steps import step_key
from roar_core.store.writer import Store
from roar_core.transfer.file import path_of_url

Digests = dict[str, str]


class Moved(NamedTuple):
    """One file and one object with the same bytes."""

    path: str
    fingerprint: Fingerprint
    digests: Digests
    source: RemoteObject


class Books(NamedTuple):
    """Where a transfer is recorded. `warn` is told of plugins that fail."""

    project: Project
    config: Config
    store: Store
    warn: Callable[[str], None]

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The digests every artifact gets, blake3 first."""
        return ("blake3", *self.config.get("hash.algorithms"))


def new_job(
    books: Books,
    kind: Literal["get", "put"],
    command: Sequence[str],
    cwd: str,
    *,
    name: str | None = None,
    labels: dict[str, str] | None = None,
) -> Job:
    """The job as it is before anything has been moved."""
    return Job(
        uid=os.urandom(16).hex(),
        kind=kind,
        command=tuple(command),
        cwd=cwd,
        project=os.fspath(books.project.root),
        state="running",
        started_at_ns=time.time_ns(),
        name=name,
        git=_git_state(cwd),
        environment=surroundings((), books.config),
        labels=labels or {},
    )


def begin(books: Books, job: Job) -> Job:
    """Write the job as *running*: what a kill leaves is completed as interrupted."""
    return books.store.begin(job, owner=Owner.current())


def complete(
    books: Books,
    job: Job,
    moved: Sequence[Moved],
    *,
    state: JobState = "succeeded",
    reasons: Iterable[CoverageReason] = (),
    datasets: Iterable[str] = (),
) -> Job:
    """Record what was moved, and how it ended. `datasets` are folders that are one by decree."""
    told = _with_edges(books, job, moved, datasets)
    took_s = (time.time_ns() - job.started_at_ns) / 1e9
    ended = attrs.evolve(
        told.job,
        state=state,
        exit_code=None if state == "interrupted" else 0 if state == "succeeded" else 1,
        duration_s=took_s,
        coverage=Coverage(tuple(reasons)),
    )
    limit = books.config.get("composites.components_max")
    return books.store.complete(ended, Datasets(told.datasets, limit))


def earlier(
    books: Books, job: Job, moved: Sequence[Moved], datasets: Iterable[str] = ()
) -> Job | None:
    """The attempt of the same command in this session that moved these very bytes, if any."""
    with books.store.reading() as db:
        row = db.execute(
            "SELECT uid FROM job WHERE step_key = ? AND state = 'succeeded' "
            "AND undone_at_ns IS NULL AND session = (SELECT max(id) FROM session) "
            "ORDER BY id DESC LIMIT 1",
            (step_key(job),),
        ).fetchone()
    if row is None:
        return None
    before = books.store.job(row[0])
    now = _with_edges(books, job, moved, datasets).job
    return before if _bytes_of(before) == _bytes_of(now) else None


def _bytes_of(job: Job) -> list[set[tuple[str, str | None]]]:
    return [{(edge.path, edge.hash) for edge in side} for side in (job.inputs, job.outputs)]


def remember(books: Books, moved: Iterable[Moved], read_at_ns: int) -> None:
    """Keep the digests of files that have settled: the next run need not hash them."""
    books.store.remember(
        (each.fingerprint, name, digest, read_at_ns)
        for each in moved
        if is_settled(each.fingerprint, read_at_ns)
        for name, digest in each.digests.items()
    )


class _Told(NamedTuple):
    job: Job
    datasets: tuple[Dataset, ...]


def _with_edges(books: Books, job: Job, moved: Sequence[Moved], decreed: Iterable[str]) -> _Told:
    objects = tuple(map(_object, moved))
    is_get = job.kind == "get"
    touched = [Touched(each.path, each.fingerprint, each.digests) for each in moved]
    files, datasets = _files(books, job, touched, frozenset(decreed), is_output=is_get)
    inputs, outputs = (objects, files) if is_get else (files, objects)
    return _Told(attrs.evolve(job, inputs=inputs, outputs=outputs), datasets)


def _object(each: Moved) -> Edge:
    """What lies in a store; in a folder it is a file like any other, at its path."""
    source, size = each.source, each.fingerprint.size
    if source.url.startswith("file://"):
        return Edge(path_of_url(source.url), size, each.digests)
    digests = {**source.digests, **each.digests}
    return Edge(*(source.url, size, digests, "object"), version=source.version, etag=source.etag)


def _files(
    books: Books,
    job: Job,
    touched: Sequence[Touched],
    decreed: frozenset[str],
    *,
    is_output: bool,
) -> tuple[tuple[Edge, ...], tuple[Dataset, ...]]:
    layouts = Layouts.prepare(books.project, books.config)
    edges = tuple(Edge(f.path, f.size, f.digests or {}) for f in touched)
    if layouts is None:
        return edges, ()
    paths = [file.path for file in touched]
    hasher = Hasher(books.store, books.algorithms, lambda _: None)
    maker = DatasetMaker(
        layouts.grouping(paths, decreed),
        books.store,
        hasher.hash,
        untouched_max=books.config.get("composites.untouched_max"),
        started_at_ns=job.started_at_ns,
    )
    found = maker.group(
        touched, written=frozenset(paths) if is_output else frozenset(), is_output=is_output
    )
    for failure in layouts.failures:
        books.warn(failure)
    others = tuple(Edge(f.path, f.size, f.digests or {}) for f in found.others)
    return (*found.edges, *others), found.datasets


def _git_state(cwd: str) -> GitState:
    probe = GitProbe.start(cwd)
    status = probe.result()
    probe.close()
    if status is None:
        return GitState()
    return status.state(dirty=bool(status.changes))
