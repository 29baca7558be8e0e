"""What a run was seen to do, before anything is hashed or stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import attrs

from roar_core.model.coverage import Coverage
from roar_core.model.fingerprint import Fingerprint


class InputFile(NamedTuple):
    """A file whose bytes the run used.

    `fingerprint` is that of the version that was read; `changed` says that the tree itself
    replaced, changed, moved or deleted it afterwards, so the bytes at `path` now are other bytes.
    `now_at` is where the bytes that were read still lie unchanged when the tree merely moved them,
    else None.
    """

    path: str
    fingerprint: Fingerprint
    changed: bool = False
    now_at: str | None = None


class OutputFile(NamedTuple):
    """A file the run made, changed or named; `fingerprint` is that at the end.

    `doubtful` is the version before the run when neither size nor times can tell whether the
    content changed (it was younger than the clock's grain): then digests decide.
    """

    path: str
    fingerprint: Fingerprint
    doubtful: Fingerprint | None = None


@attrs.frozen
class Observation:
    """The verdict over one journal. Paths are absolute, `os.fsdecode`d, sorted.

    `code` holds files executed, imported or loaded as libraries; `packages` those of interpreters
    and site-packages; `system` those below the system directories: they become the job's packages
    rather than its inputs. `sources` are read like inputs, but the commit or its snapshot stands
    for them. `claimed_inputs` and `claimed_outputs` belong to an analyzer's tool; of the outputs,
    some may be gone again. `filtered` counts files taken out, by class; `filtered_paths` lists
    them. `scratch` counts files made and gone again, `processes` programs started.
    """

    inputs: tuple[InputFile, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    sources: tuple[InputFile, ...] = ()
    code: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    system: frozenset[str] = frozenset()
    filtered: Mapping[str, int] = attrs.field(factory=dict)
    filtered_paths: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    claimed_inputs: frozenset[str] = frozenset()
    claimed_outputs: frozenset[str] = frozenset()
    scratch: int = 0
    processes: int = 0
    coverage: Coverage = Coverage()
