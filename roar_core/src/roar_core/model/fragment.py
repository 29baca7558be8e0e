"""What storage proxies and execution backends report of a run: objects, and tasks in fragments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from roar_core.model.coverage import CoverageReason
from roar_core.model.coverage import TaskCoverage as TaskCoverage
from roar_core.model.environment import Environment, Packages
from roar_core.model.fingerprint import Fingerprint

TASK_STATES = ("succeeded", "failed", "interrupted")
TASK_ROLES = ("task", "infrastructure")
_TEXT = attrs.validators.instance_of(str)
_TEXTS = attrs.validators.deep_iterable(_TEXT, attrs.validators.instance_of(tuple))


@attrs.frozen
class ObservedObject:
    """An object of a store that a job read or wrote, e.g. `s3://bucket/key`.

    `digests` maps algorithm to value: `blake3` when all its bytes passed, else what the store calls
    them (`etag` …). Objects with one digest and one size are the same bytes, so that whoever wrote
    them is the producer. `size` is 0 where the store does not tell. `version` and `etag` are told
    with the edge, where the store has them. `ranges` are where the bytes lie that were read of an
    object not read whole, `(first, behind the last)` in order; empty when it was, or nobody knows.
    """

    url: str
    direction: Literal["input", "output"]
    size: int
    digests: Mapping[str, str] = attrs.field(factory=dict)
    version: str | None = None
    etag: str | None = None
    ranges: tuple[tuple[int, int], ...] = ()


@attrs.frozen
class TaskFile:
    """A file that a task read or wrote, as it was then.

    `path` is absolute and resolved, in the driver's terms: translate a container's paths. `digests`
    maps algorithm to lower-case hex. Without `blake3`, roar hashes the file itself if it still is
    the version of `fingerprint`, else its hash is unknown. `is_changed`: the task replaced these
    bytes after reading them. `is_code`: it executed or imported the file. `node` names the node on
    whose own disk the file lies: the same path on the driver's machine, or on another node, is
    another file. It is empty for what the driver's machine finds at `path`.
    """

    path: str
    size: int
    digests: Mapping[str, str] = attrs.field(factory=dict)
    fingerprint: Fingerprint | None = None
    is_changed: bool = False
    is_code: bool = False
    node: str = attrs.field(default="", validator=_TEXT)


@attrs.frozen
class TaskFragment:
    """What one attempt at one task did, or a part of that.

    `task` names the task in the platform's words and `name` what it is an instance of: a function,
    a class, a script; tasks are grouped by it. Attempts count from 1. An attempt may come in many
    parts, each with a `part` of its own, such as `stream@offset`: together they make one job, in
    whatever order and however often they come, for a part is merged once. Its state is
    `interrupted` until some part says `succeeded` or `failed`.

    `command` is empty for what is no command. `where` is the host or node. Times are nanoseconds
    since the epoch, `duration_s` None when nobody saw the end. `coverage` tells what is missing.

    `needs` names the tasks whose results this attempt got without a file between them (an ObjectRef
    of Ray); they may report later, or never. `role` is `infrastructure` for what the platform runs
    for itself: it is kept, and shown only on demand. `group` tells tasks of one name apart that
    belong together, such as `rank 3` or `trial 8f2a`. `declared`: what the attempt read, wrote and
    needs is known from its specification alone, and nothing was observed.
    """

    task: str = attrs.field(validator=attrs.validators.and_(_TEXT, attrs.validators.min_len(1)))
    name: str = attrs.field(validator=_TEXT)
    state: Literal["succeeded", "failed", "interrupted"] = attrs.field(
        validator=attrs.validators.in_(TASK_STATES)
    )
    started_at_ns: int = attrs.field(validator=attrs.validators.instance_of(int))
    attempt: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    part: str = attrs.field(default="", validator=_TEXT)
    command: tuple[str, ...] = ()
    cwd: str | None = None
    where: str = ""
    duration_s: float | None = None
    exit_code: int | None = None
    signal: str | None = None
    tracer: str | None = None
    read: tuple[TaskFile, ...] = ()
    written: tuple[TaskFile, ...] = ()
    objects: tuple[ObservedObject, ...] = ()
    coverage: tuple[CoverageReason, ...] = ()
    packages: Packages = Packages()
    environment: Environment | None = None
    needs: tuple[str, ...] = attrs.field(default=(), validator=_TEXTS)
    role: Literal["task", "infrastructure"] = attrs.field(
        default="task", validator=attrs.validators.in_(TASK_ROLES)
    )
    group: str = attrs.field(default="", validator=_TEXT)
    declared: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
