"""Read what a registry told as typed values, each job by itself: what cannot be true is left out.

The same rules hold as for a graph that somebody sends as a file (`export.incoming`): no path leads
out of the project, no value is of another type or beyond what the database holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy

import attrs

from roar_core.errors import RoarError
from roar_core.export.incoming import (
    IncomingArtifact,
    IncomingDataset,
    IncomingJob,
    IncomingSession,
    component_name,
)
from roar_core.export.reading import Reader
from roar_core.identity import BloomFilter, Leaf, tree_hash
from roar_core.registry.resolving.asking import Answers, Document
from roar_core.registry.resolving.translating import artifacts_of, as_in_a_project

_SESSION_ID = 32


class Checked:
    """What a registry told, as `export.entering` takes it. `left_out` are sentences.

    `sessions_by_id` are the hashes of registrations by the session ids of this graph.
    """

    def __init__(self, answers: Answers, project: str) -> None:
        as_in_a_project(answers)
        self.left_out = list(answers.left_out)
        self.sessions: dict[str, IncomingSession] = {}
        self.sessions_by_id: dict[str, str] = {}
        self._reader = Reader(answers.url)
        self._artifacts = list(self._checked_artifacts(artifacts_of(answers)))
        digests = {artifact.hash: artifact.digests for artifact in self._artifacts}
        self._jobs = list(self._checked_jobs(answers.jobs.values(), project, digests))
        self._count()

    def _count(self) -> None:
        self.uids = [job.uid for job in self._jobs]
        self.edges = sum(len(job.inputs) + len(job.outputs) for job in self._jobs)

    def artifacts(self) -> Iterator[IncomingArtifact]:
        return iter(self._artifacts)

    def jobs(self) -> Iterator[IncomingJob]:
        """Those that started others first."""
        return iter(self._jobs)

    def only(self, job: IncomingJob | None) -> Checked:
        """The same artifacts, with this job alone or with none."""
        one = copy(self)
        one._jobs = [] if job is None else [job]
        one._count()
        return one

    def _checked_artifacts(self, told: Iterable[Document]) -> Iterator[IncomingArtifact]:
        for document in told:
            try:
                artifact = self._reader.value(document, IncomingArtifact, "an artifact")
            except RoarError as error:
                self.left_out.append(str(error))
                continue
            dataset = artifact.composite
            if dataset is not None:
                artifact = attrs.evolve(artifact, composite=_honest(artifact, dataset))
            yield artifact

    def _checked_jobs(
        self,
        told: Iterable[Document],
        project: str,
        digests: Mapping[str, Mapping[str, str]],
    ) -> Iterator[IncomingJob]:
        ordered = sorted(told, key=lambda job: (str(job["started_at"]), str(job["uid"])))
        for document in ordered:
            registration = document["session"]
            session = registration[:_SESSION_ID]
            try:
                job = self._reader.value(document | {"session": session}, IncomingJob, "a job")
                job.to_job(project, digests)
                if session not in self.sessions:
                    fields = {"id": session, "number": 1, "started_at": document["started_at"]}
                    self.sessions[session] = self._reader.value(
                        fields, IncomingSession, "a session"
                    )
                    self.sessions_by_id[session] = registration
            except RoarError as error:
                self.left_out.append(f"job {str(document['uid'])[:8]}: {error}")
                continue
            yield job


def _honest(artifact: IncomingArtifact, dataset: IncomingDataset) -> IncomingDataset:
    """A dataset without members that would give another hash, and without a broken filter."""
    if dataset.components is not None:
        try:
            root = tree_hash(
                Leaf(component_name(one), *one.hash.split(":", 1)) for one in dataset.components
            ).root
        except (RoarError, ValueError, TypeError):
            root = ""
        if root not in artifact.digests.values():
            dataset = attrs.evolve(dataset, components=None)
    if dataset.filter is not None:
        try:
            BloomFilter.from_wire(dataset.filter)
        except RoarError:
            dataset = attrs.evolve(dataset, filter=None)
    return dataset
