"""What a reproduction would do: the values that `planning` makes and `replay` carries out.

Paths called `relative` are told from the project's root and never leave it; they are the only
recorded paths that are ever written to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from roar_core.model.job import EdgeKind, Job

# Where the bytes of an input come from: a step of the plan, the commit, its snapshot, a file found
# in the project (copied), a file outside it (used where it is); `unverified` bytes have no recorded
# digest; `missing` ones are nowhere.
Origin = Literal["step", "commit", "snapshot", "copy", "outside", "unverified", "missing"]


@attrs.frozen
class Member:
    """One file of a dataset that was read: its name below the root, and where its bytes are now.

    `found` is None when a step of the plan makes it, or nobody has it.
    """

    name: str
    hash: str
    found: str | None = None


@attrs.frozen
class PlannedInput:
    """Bytes that a step needs at a path.

    `relative` is None outside the project. `found` is where they are now. `producer` is the step of
    the plan that makes them. `members` are those of a dataset; `lacking` names members that nobody
    has. `source` is the URL that they were once fetched from.
    """

    path: str
    relative: str | None
    hash: str | None
    size: int
    kind: EdgeKind
    origin: Origin
    found: str | None = None
    producer: str | None = None
    producer_path: str | None = None
    members: tuple[Member, ...] = ()
    lacking: tuple[str, ...] = ()
    source: str | None = None


@attrs.frozen
class PlannedOutput:
    """Bytes that a step wrote, to be compared with what it writes now.

    `original` is a file that still holds them. `members` (name, hash) are those of a dataset.
    """

    path: str
    relative: str | None
    hash: str | None
    size: int
    kind: EdgeKind
    is_asked: bool
    original: str | None = None
    members: tuple[Member, ...] = ()


@attrs.frozen
class Code:
    """The code a step ran: a commit, and the snapshot of what was not committed.

    `is_kept` is False when there were changes that nobody kept.
    """

    commit: str | None
    snapshot: str | None
    is_kept: bool = True


@attrs.frozen
class EnvironmentPlan:
    """A virtual environment: `interpreter` as recorded (`cpython 3.11.7`), exact `packages`.

    `base` is an interpreter here, of version `base_version`; None when none fits. `local` maps
    packages that no index has to what they are.
    """

    name: str
    interpreter: str
    packages: Mapping[str, str]
    base: str | None
    base_version: str | None
    local: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def requirements(self) -> list[str]:
        """`name==version` of what an index is asked for, sorted."""
        return [
            f"{name}=={self.packages[name]}"
            for name in sorted(self.packages)
            if name not in self.local
        ]


@attrs.frozen
class PlannedStep:
    """One recorded job, as it would be run again.

    `command` has the project's old root replaced; `rewritten` says what else is changed, in
    sentences. `cwd` is relative to the project (`.` is its root). `refusal` is why it cannot be run
    at all.
    """

    job: Job
    label: str
    command: tuple[str, ...]
    cwd: str
    code: Code
    variables: Mapping[str, str]
    inputs: tuple[PlannedInput, ...]
    outputs: tuple[PlannedOutput, ...]
    environment: str | None = None
    rewritten: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def is_build(self) -> bool:
        return self.job.kind == "build"


@attrs.frozen
class Source:
    """Where the code comes from: a checkout on this machine, else the recorded remote.

    `offset` is the project's place below the top level of the checkout (empty: they are one).
    """

    checkout: str | None
    remote: str | None
    offset: str = ""


@attrs.frozen
class Plan:
    """A whole reproduction. `target` is absolute; `project` is the root of what was recorded.

    `told_by` says, of a recipe that is not known from here alone, who told it: sentences.
    """

    ref: str
    project: str
    target: str
    source: Source | None
    steps: tuple[PlannedStep, ...]
    environments: tuple[EnvironmentPlan, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    in_place: bool = False
    told_by: tuple[str, ...] = ()

    @property
    def target_project(self) -> str:
        """The project's root in the target."""
        offset = self.source.offset if self.source and not self.in_place else ""
        return f"{self.target}/{offset}" if offset else self.target
