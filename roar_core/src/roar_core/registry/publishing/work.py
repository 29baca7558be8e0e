"""What is published: all that something came from, as the protocol says it, read once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from roar_core.export.graph import Options, graph_of
from roar_core.redaction import Redactor, redact
from roar_core.registry.labels.documents import Labelled, labelled_of
from roar_core.registry.publishing.checkout import Git, git_of
from roar_core.registry.publishing.dataset_documents import (
    Limits,
    artifact_to_wire,
    dataset_to_wire,
    views_of,
)
from roar_core.registry.publishing.job_documents import sides_of, to_wire
from roar_core.registry.publishing.link_documents import Links

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.target import Target
    from roar_core.store.writer import Store

Document = dict[str, Any]

# The names of artifacts that a registry's labels can be about.
_DIGEST = re.compile(r"[a-z0-9-]+:[0-9a-f]{64}")


@attrs.frozen
class PublishedJob:
    """One job: as the graph tells it, as the protocol does, and what it read and wrote."""

    told: Mapping[str, Any]
    wire: Document
    inputs: Links
    outputs: Links
    views: list[Document]

    @property
    def uid(self) -> str:
        return str(self.told["uid"])

    @property
    def place(self) -> str:
        """What people call it: `@3`, or its uid's first 8 digits."""
        return str(self.told["step"] or self.uid[:8])

    def hashes(self) -> Iterable[str]:
        """The names of what it read and wrote."""
        for edge in (*self.told["inputs"], *self.told["outputs"]):
            if edge["hash"] is not None:
                yield edge["hash"]


@attrs.frozen
class Work:
    """Jobs by uid, parents before what they started; artifacts by hash; `name` is what was asked
    for. `root` is the graph's: `{"kind", "id"}`."""

    name: str
    root: Document
    jobs: dict[str, PublishedJob]
    artifacts: dict[str, Document]
    labelled: Labelled
    redactor: Redactor

    def git_of(self, uids: Iterable[str]) -> Git:
        """The checkout that some of the jobs name."""
        return git_of(self.jobs[uid].told for uid in uids)

    def artifacts_of(self, uids: Iterable[str]) -> list[Document]:
        """What these jobs read and wrote, and an artifact that is asked for itself; by name."""
        names = {name for uid in uids for name in self.jobs[uid].hashes()}
        if self.root["kind"] == "artifact":
            names.add(self.root["id"])
        return [self.artifacts[name] for name in sorted(names & self.artifacts.keys())]

    def datasets_to_send(self, uids: Iterable[str], limits: Limits) -> list[Document]:
        """The bodies of `artifacts/composites` of what these jobs touched, by name."""
        found = (dataset_to_wire(artifact, limits) for artifact in self.artifacts_of(uids))
        return [dataset for dataset in found if dataset is not None]

    def files_to_send(self, uids: Iterable[str]) -> list[Document]:
        """What `artifacts/batch` is told of all that these jobs touched and that is no dataset."""
        found = map(artifact_to_wire, self.artifacts_of(uids))
        return [file for file in found if file is not None]

    def labels_of(self, uids: Collection[str], session_hash: str) -> list[Document]:
        """What `labels/batch` is told once these jobs are the session of this hash.

        Of artifacts only those that the jobs touched: a registry has no others in the session.
        """
        touched = {name for uid in uids for name in self.jobs[uid].hashes()}
        names = sorted(name for name in touched if _DIGEST.fullmatch(name))
        documents = self.labelled.documents(session_hash, uids, names)
        return [
            one | {"metadata": redact(one["metadata"], self.redactor).document} for one in documents
        ]


class Wanted:
    """What was asked for: the uids of its jobs, and all that is told of them.

    That is read when somebody needs it first: of what is registered already, nobody does.
    """

    def __init__(self, name: str, uids: tuple[str, ...], read: Callable[[], Work]) -> None:
        self.name = name
        self.uids = uids
        self._read = read

    @cached_property
    def work(self) -> Work:
        return self._read()


def work_of(
    db: sqlite3.Connection, store: Store, target: Target, options: Options, version: str
) -> Work:
    """All that `target` came from, without the machine and without secrets.

    Failed jobs are part of it, undone and running ones are not. Raises RoarError as `graph_of`.
    """
    graph = graph_of(db, store, target, options)
    sessions = {session["id"]: session for session in graph["sessions"]}
    artifacts = {artifact["hash"]: artifact for artifact in graph["artifacts"]}
    told = {job["uid"]: job for job in graph["jobs"]}
    # What a job is an attempt at again does not hang on what else is published with it.
    again = dict(db.execute("SELECT uid, rerun_of FROM job WHERE rerun_of IS NOT NULL"))
    jobs: dict[str, PublishedJob] = {}
    for job in _parents_first(told):
        job["rerun_of"] = again.get(job["uid"])
        sides = sides_of(job)
        wire = to_wire(job, sessions[job["session"]], version, sides)
        parent = jobs.get(job["parent"] or "")
        if job["step"] is None and parent is not None:
            wire["step_number"] = parent.wire["step_number"]
        jobs[job["uid"]] = PublishedJob(job, wire, **sides, views=views_of(job, artifacts))
    labelled = labelled_of(db, jobs, _session(db, target), options.redactor)
    return Work(target.name, graph["root"], jobs, artifacts, labelled, options.redactor)


def _session(db: sqlite3.Connection, target: Target) -> int | None:
    """The number of the session that is asked for."""
    if target.kind != "session" or not target.jobs:
        return None
    return int(db.execute("SELECT session FROM job WHERE id = ?", target.jobs[:1]).fetchone()[0])


def _parents_first(told: Mapping[str, Document]) -> Iterable[Document]:
    """The jobs in their own order, each behind the job that started it."""
    given: set[str] = set()
    for job in told.values():
        line: list[Document] = []
        above: Document | None = job
        while above is not None and above["uid"] not in given:
            given.add(above["uid"])
            line.append(above)
            above = told.get(above["parent"] or "")
        yield from reversed(line)
