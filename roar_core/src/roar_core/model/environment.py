"""What surrounds a run: code version, packages, machine."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class GitState:
    """The checkout a run started from.

    `snapshot` is the `blake3:` name of its patch in objects/.
    """

    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    dirty: bool = False
    snapshot: str | None = None


@attrs.frozen
class Packages:
    """Name -> version, by ecosystem: what the *program* used, never what roar itself loads."""

    python: Mapping[str, str] = attrs.field(factory=dict)
    system: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Gpu:
    """One accelerator as its vendor's tool names it."""

    name: str
    memory_bytes: int | None = None
    driver: str | None = None


@attrs.frozen
class Environment:
    """The machine and what it runs.

    `interpreter` is like `cpython 3.11.7`, None for non-Python runs.
    """

    os: str
    arch: str
    interpreter: str | None = None
    cpu: str | None = None
    memory_bytes: int | None = None
    gpus: tuple[Gpu, ...] = ()
    cuda: str | None = None
    container: str | None = None
    variables: Mapping[str, str] = attrs.field(factory=dict)
