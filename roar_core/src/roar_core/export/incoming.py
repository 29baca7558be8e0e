"""What a graph document says, as typed values, and from there to the model's own.

A graph comes from strangers: everything that would name something outside of this project, or
that contradicts itself, is refused with a RoarError.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from roar_core.errors import RoarError
from roar_core.model.composite import ComponentKind, CompositeUse
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import Environment, GitState, Gpu, Packages
from roar_core.model.job import Edge, EdgeKind, HashState, Job, JobKind, Step
from roar_core.model.tracker import TrackerReference

# Another digest is the name only where it is all that is known of an object.
_HASH = re.compile(
    r"(?:blake3|composite-blake3|composite-sha256):[0-9a-f]{64}"
    r"|(?!blake3:|composite-)[a-z0-9][a-z0-9-]*:.+"
)
_UID = re.compile(r"[0-9a-f]{32}")
_STEP = re.compile(r"@(?P<build>B?)(?P<number>[1-9][0-9]{0,8})")
_TIME = re.compile(r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?Z")


def matches(pattern: re.Pattern[str]) -> Any:
    """A validator: the whole text, or None, fits the pattern."""

    def check(_: Any, field: Any, value: str | None) -> None:
        if value is not None and not pattern.fullmatch(value):
            raise ValueError(f"{value[:80]!r} cannot be a {field.name}")

    return check


def _duration(_: Any, field: Any, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1e9:
        raise ValueError(f"{value} cannot be a {field.name}")


@attrs.frozen
class IncomingSession:
    """A session of some project."""

    id: str = attrs.field(validator=matches(_UID))
    number: int
    started_at: str = attrs.field(validator=matches(_TIME))


@attrs.frozen
class IncomingUse:
    """How much of a dataset was touched."""

    layout: str
    members: int | None
    touched: int
    whole: bool
    bits: str | None = None


@attrs.frozen
class IncomingEdge:
    """An input or output."""

    path: str
    place: Literal["project", "outside", "store"]
    hash: str | None = attrs.field(validator=matches(_HASH))
    size: int = attrs.field(validator=attrs.validators.ge(0))
    kind: EdgeKind
    hash_state: HashState
    producer: str | None = attrs.field(default=None, validator=matches(_UID))
    further_producers: tuple[str, ...] = ()
    composite: IncomingUse | None = None
    version: str | None = None
    etag: str | None = None
    ranges: tuple[tuple[int, int], ...] = ()
    raw: str | None = None


@attrs.frozen
class IncomingReason:
    """A hole in what was seen."""

    code: str
    count: int
    detail: str


@attrs.frozen
class IncomingCoverage:
    """How much was seen."""

    state: str
    reasons: tuple[IncomingReason, ...]


@attrs.frozen
class IncomingGit:
    """The code."""

    commit: str | None
    branch: str | None
    remote: str | None
    dirty: bool
    snapshot: str | None


@attrs.frozen
class IncomingPackages:
    """What the program used."""

    python: dict[str, str]
    system: dict[str, str]


@attrs.frozen
class IncomingGpu:
    """An accelerator."""

    name: str
    memory_bytes: int | None
    driver: str | None


@attrs.frozen
class IncomingEnvironment:
    """The machine."""

    os: str
    arch: str
    interpreter: str | None
    cpu: str | None
    memory_bytes: int | None
    gpus: tuple[IncomingGpu, ...]
    cuda: str | None
    container: str | None
    variables: dict[str, str]


@attrs.frozen
class IncomingTracker:
    """A run in an experiment tracker."""

    tracker: str
    run_id: str | None
    project: str | None
    entity: str | None
    name: str | None
    url: str | None
    host: str | None
    title: str | None


@attrs.frozen
class IncomingRaw:
    """Exact bytes, in base64."""

    command: tuple[str, ...] | None = None
    cwd: str | None = None


@attrs.frozen
class IncomingTask:
    """Which attempt at which task."""

    backend: str
    task: str
    attempt: int
    where: str | None
    role: Literal["task", "infrastructure"] = "task"
    group: str = ""
    declared: bool = False


@attrs.frozen
class IncomingJob:
    """One execution; fields as in docs/json.md, "graph_job"."""

    uid: str = attrs.field(validator=matches(_UID))
    hash: str | None = attrs.field(validator=matches(_HASH))
    session: str
    step: str | None = attrs.field(validator=matches(_STEP))
    attempt: int | None
    kind: JobKind
    name: str | None
    command: tuple[str, ...]
    cwd: str
    state: Literal["succeeded", "failed", "interrupted"]
    exit_code: int | None
    signal: str | None
    started_at: str = attrs.field(validator=matches(_TIME))
    duration_s: float | None = attrs.field(validator=_duration)
    rerun_of: str | None
    parent: str | None
    tracer: str | None
    coverage: IncomingCoverage
    inputs: tuple[IncomingEdge, ...]
    outputs: tuple[IncomingEdge, ...]
    git: IncomingGit
    packages: IncomingPackages
    environment: IncomingEnvironment | None
    trackers: tuple[IncomingTracker, ...]
    labels: dict[str, Any]
    task: IncomingTask | None = None
    needs: tuple[str, ...] = ()
    raw: IncomingRaw | None = None

    def to_job(self, project: str, digests: Mapping[str, Mapping[str, str]]) -> Job:
        """The job, its paths told from `project`; `digests` are those of artifacts by hash."""
        step = self.step and _STEP.fullmatch(self.step)
        raw = self.raw or IncomingRaw()
        command = tuple(
            _name(argument, raw.command[place] if raw.command else None)
            for place, argument in enumerate(self.command)
        )
        return Job(
            uid=self.uid,
            kind=self.kind,
            command=command,
            cwd=absolute(_name(self.cwd, raw.cwd), project),
            project=project,
            state=self.state,
            started_at_ns=nanoseconds(self.started_at),
            step=Step(int(step["number"]), bool(step["build"]), self.attempt or 1)
            if step
            else None,
            name=self.name,
            hash=self.hash,
            exit_code=self.exit_code,
            signal=self.signal,
            duration_s=self.duration_s,
            tracer=self.tracer,
            rerun_of=self.rerun_of,
            parent=self.parent,
            coverage=Coverage(
                tuple(CoverageReason(r.code, r.count, r.detail) for r in self.coverage.reasons)
            ),
            inputs=tuple(_edge(edge, project, digests) for edge in self.inputs),
            outputs=tuple(_edge(edge, project, digests) for edge in self.outputs),
            git=GitState(**attrs.asdict(self.git)),
            packages=Packages(self.packages.python, self.packages.system),
            environment=_environment(self.environment) if self.environment else None,
            trackers=tuple(TrackerReference(**attrs.asdict(t)) for t in self.trackers),
            labels=self.labels,
        )


@attrs.frozen
class IncomingComponent:
    """A member of a dataset."""

    path: str
    hash: str = attrs.field(validator=matches(_HASH))
    size: int = attrs.field(validator=attrs.validators.ge(0))
    kind: ComponentKind
    raw: str | None = None


@attrs.frozen
class IncomingDataset:
    """A dataset of many files."""

    layout: str
    members: int
    components: tuple[IncomingComponent, ...] | None = None
    filter: dict[str, Any] | None = None


@attrs.frozen
class IncomingArtifact:
    """Bytes that jobs read or wrote."""

    hash: str = attrs.field(validator=matches(_HASH))
    size: int = attrs.field(validator=attrs.validators.ge(0))
    kind: EdgeKind
    digests: dict[str, str]
    first_seen_at: str = attrs.field(validator=matches(_TIME))
    composite: IncomingDataset | None
    labels: dict[str, Any]

    def __attrs_post_init__(self) -> None:
        algorithm, _, value = self.hash.partition(":")
        if self.digests.get(algorithm) != value:
            raise ValueError(f"{self.hash[:80]!r} is none of its digests")
        for name, digest in self.digests.items():
            if name.endswith("blake3") and not _HASH.fullmatch(f"blake3:{digest}"):
                raise ValueError(f"{digest[:80]!r} cannot be a {name} digest")


def nanoseconds(time: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time in UTC."""
    match = _TIME.fullmatch(time)
    assert match is not None
    fraction = (match["fraction"] or "").ljust(9, "0")
    try:
        second = datetime.fromisoformat(match["second"]).replace(tzinfo=UTC)
    except ValueError as error:
        raise RoarError(f"there is no time {time!r}") from error
    if not 1970 <= second.year <= 2200:  # beyond, nanoseconds would not fit 64 bits
        raise RoarError(f"the time {time!r} in the graph cannot be true")
    return int(second.timestamp()) * 1_000_000_000 + int(fraction)


def absolute(path: str, project: str) -> str:
    """Where a path of the graph is here. Raises RoarError when it would leave the project."""
    if "\0" in path:
        raise RoarError(f"{path[:80]!r} cannot be a path")
    if path.startswith("/"):
        return path
    if ".." in path.split("/"):
        raise RoarError(f"{path[:80]!r} in the graph leads out of the project; it is not imported")
    return project if path == "." else f"{project}/{path}"


def place_of(edge: IncomingEdge, project: str) -> str:
    """The path of an edge here, or the URL of its object."""
    path = _name(edge.path, edge.raw)
    return path if edge.place == "store" else absolute(path, project)


def component_name(component: IncomingComponent) -> str:
    """The name of a member below its dataset's root, of any bytes."""
    return _name(component.path, component.raw)


def _name(text: str, raw: str | None) -> str:
    """A name of any bytes: its text or, where that is not all of it, its bytes in base64."""
    if raw is None:
        return os.fsdecode(text.encode())
    try:
        return os.fsdecode(b64decode(raw, validate=True))
    except ValueError as error:
        raise RoarError(f"{raw[:80]!r} in the graph is no base64") from error


def _edge(edge: IncomingEdge, project: str, digests: Mapping[str, Mapping[str, str]]) -> Edge:
    path = place_of(edge, project)
    known: Mapping[str, str] = {}
    if edge.hash is not None:
        algorithm, _, value = edge.hash.partition(":")
        known = digests.get(edge.hash, {algorithm: value})
    if edge.hash is None and edge.hash_state != "unknown":
        raise RoarError(f"{edge.path[:80]!r} in the graph has no hash, and does not say why")
    if (edge.kind == "composite") != (edge.composite is not None):
        raise RoarError(f"{edge.path[:80]!r} in the graph is half a dataset")
    use = edge.composite
    return Edge(
        path=path,
        size=edge.size,
        digests=known,
        kind=edge.kind,
        hash_state=edge.hash_state,
        producer=edge.producer,
        further_producers=edge.further_producers,
        composite=None
        if use is None
        else CompositeUse(use.layout, use.touched, use.members, use.whole),
        version=edge.version,
        etag=edge.etag,
        ranges=edge.ranges,
    )


def _environment(environment: IncomingEnvironment) -> Environment:
    fields = {field.name: getattr(environment, field.name) for field in attrs.fields(Environment)}
    gpus = tuple(Gpu(gpu.name, gpu.memory_bytes, gpu.driver) for gpu in environment.gpus)
    return Environment(**fields | {"gpus": gpus})
