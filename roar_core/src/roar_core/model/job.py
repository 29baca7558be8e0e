"""One recorded execution, and the edges that tie it to artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from roar_core.model.composite import CompositeUse
from roar_core.model.coverage import Coverage
from roar_core.model.environment import Environment, GitState, Packages
from roar_core.model.tracker import TrackerReference

JobKind = Literal["run", "build", "get", "put", "task"]
JobState = Literal["running", "succeeded", "failed", "interrupted", "undone"]
EdgeKind = Literal["file", "composite", "object"]
HashState = Literal["exact", "before_change", "unknown"]


@attrs.frozen
class Edge:
    """An artifact at a path, as an input or output of a job.

    `digests` maps an algorithm to lower-case hex; it holds `blake3` unless `hash_state` is
    `unknown`. `before_change`: the digest is of the bytes read, which the run itself later changed.
    `producer` is the uid of the job that made these bytes, None when no recorded job did; members
    of a composite may have `further_producers`. `composite` is there exactly for composites.
    `version` and `etag` are how an object's store calls these bytes, where it told. `ranges` are
    where the bytes lie that were read of an object not read whole, `(first, behind the last)`.
    """

    path: str
    size: int
    digests: Mapping[str, str] = attrs.field(factory=dict)
    kind: EdgeKind = "file"
    hash_state: HashState = "exact"
    producer: str | None = None
    further_producers: tuple[str, ...] = ()
    composite: CompositeUse | None = None
    version: str | None = None
    etag: str | None = None
    ranges: tuple[tuple[int, int], ...] = ()

    @property
    def hash(self) -> str | None:
        """`blake3:<hex>`, or None exactly when the hash state is unknown.

        Of a composite `composite-blake3:<hex>`, its tree hash.
        """
        algorithm = "composite-blake3" if self.kind == "composite" else "blake3"
        digest = self.digests.get(algorithm)
        return None if digest is None else f"{algorithm}:{digest}"


@attrs.frozen
class Step:
    """The place of a job in its session: `@3`, or `@B1` for a build; `attempt` counts from 1."""

    number: int
    is_build: bool = False
    attempt: int = 1

    def __str__(self) -> str:
        return f"@{'B' if self.is_build else ''}{self.number}"


@attrs.frozen
class Job:
    """One execution. Times are integer nanoseconds since the epoch, durations seconds.

    `uid` is 32 lower-case hex digits, shown by its first 8. `hash` is None while running.
    `sources` are the files of the commit, or of its snapshot, that the job read as code: BLAKE3 hex
    (None: not known) by their paths from `project`; None as a whole when nobody noted them down.
    `signal` is a name such as `SIGTERM`. `project` is the project root that `cwd` and the edges'
    relative paths are told against.
    """

    uid: str
    kind: JobKind
    command: tuple[str, ...]
    cwd: str
    project: str
    state: JobState
    started_at_ns: int
    session: int | None = None
    step: Step | None = None
    name: str | None = None
    hash: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    duration_s: float | None = None
    tracer: str | None = None
    rerun_of: str | None = None
    parent: str | None = None
    coverage: Coverage = Coverage()
    inputs: tuple[Edge, ...] = ()
    outputs: tuple[Edge, ...] = ()
    git: GitState = GitState()
    sources: Mapping[str, str | None] | None = None
    packages: Packages = Packages()
    environment: Environment | None = None
    trackers: tuple[TrackerReference, ...] = ()
    labels: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def is_imported(self) -> bool:
        """Whether it was recorded elsewhere: imported sessions have negative numbers."""
        return self.session is not None and self.session < 0
