"""What questions to the session database are answered with, besides jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import attrs

from roar_core.model.job import Edge, Job, Step


@attrs.frozen
class JobSummary:
    """A job without its edges, packages and environment, and how many edges it has."""

    job: Job
    inputs: int
    outputs: int


class Use(NamedTuple):
    """One job that read or wrote an artifact, and where. `step` is None for a job below another."""

    uid: str
    session: int
    step: Step | None
    path: str
    kind: str


class CompositeInfo(NamedTuple):
    """What is known of a dataset; `is_listed` says that its members are, and not just a filter."""

    layout: str
    members: int
    is_listed: bool


class Membership(NamedTuple):
    """A place of some bytes in a dataset, and the jobs that touched them there, newest first."""

    dataset: str
    layout: str
    path: str
    producers: tuple[Use, ...]
    consumers: tuple[Use, ...]


class Answer(NamedTuple):
    """Whether bytes are a member; `perhaps` when only a Bloom filter is kept: no is then certain.

    `paths` are the members' names below the root.
    """

    verdict: Literal["yes", "no", "perhaps"]
    paths: tuple[str, ...] = ()


@attrs.frozen
class MemberInfo:
    """Bytes known as members of datasets."""

    hash: str
    size: int
    memberships: tuple[Membership, ...]


@attrs.frozen
class ArtifactInfo:
    """Bytes known here. `hash` is `blake3:<hex>`, or another digest where that is all there is.

    `digests` maps every known algorithm to its value. Producers and consumers are newest first,
    without undone jobs; `paths` are the absolute paths they had, newest first.
    """

    hash: str
    size: int
    digests: Mapping[str, str]
    first_seen_ns: int
    producers: tuple[Use, ...]
    consumers: tuple[Use, ...]
    composite: CompositeInfo | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(use.path for use in (*self.producers, *self.consumers)))


@attrs.frozen
class PathEvent:
    """A job that read or wrote a path, and the edge by which it did."""

    summary: JobSummary
    direction: Literal["input", "output"]
    edge: Edge


@attrs.frozen
class PathHistory:
    """Everything recorded about one absolute path, newest first."""

    path: str
    events: tuple[PathEvent, ...]


@attrs.frozen
class SessionSummary:
    """A session in numbers; undone jobs are counted as such and nowhere else.

    `last_started_at_ns` is None when it has no job.
    """

    id: int
    started_at_ns: int
    last_started_at_ns: int | None
    jobs: int
    steps: int
    running: int
    succeeded: int
    failed: int
    interrupted: int
    undone: int
