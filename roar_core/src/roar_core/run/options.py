"""What the user asked of one `roar run` or `roar build`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from roar_core.model.job import Step

Dirty = Literal["snapshot", "allow", "refuse"]

DIRTY: tuple[Dirty, ...] = ("snapshot", "allow", "refuse")
ALGORITHMS = ("sha256", "sha512", "md5")


class RunOptions(NamedTuple):
    """`tags` are (add or block, kind, value), see `store.tags`.

    `None` means: as configured. `verbosity` is -1 for `-q`, 0, 1 for `-v`, 2 for `-vv`.

    `rerun_of`: the step of the active session that this is a new attempt of.
    """

    command: tuple[str, ...]
    kind: Literal["run", "build"] = "run"
    name: str | None = None
    tracer: str | None = None
    backend: str | None = None
    algorithms: tuple[str, ...] = ()
    dirty: Dirty | None = None
    verbosity: int = 0
    fallback: bool | None = None
    tags: tuple[tuple[str, str, str], ...] = ()
    rerun_of: Step | None = None
