"""How much of a run, and of its tasks, was seen."""

from __future__ import annotations

import attrs

_TEXTS = attrs.validators.deep_iterable(
    attrs.validators.instance_of(str), attrs.validators.instance_of(tuple)
)


@attrs.frozen
class CoverageReason:
    """One known hole: a stable `code` (`static`, `lost` …), how often, and a few words on it."""

    code: str
    count: int
    detail: str = ""


@attrs.frozen
class Coverage:
    """`complete` means no *known* hole."""

    reasons: tuple[CoverageReason, ...] = ()

    @property
    def state(self) -> str:
        return "partial" if self.reasons else "complete"


@attrs.frozen
class TaskCoverage:
    """How many tasks the platform knows of, None where it cannot tell, and what else is missing.

    `is_final` says that nothing more will come: roar then calls `finalise` and never asks again.
    `needs` names the tasks whose results the run's own command got without a file between them.
    """

    known: int | None
    is_final: bool = True
    reasons: tuple[CoverageReason, ...] = ()
    needs: tuple[str, ...] = attrs.field(default=(), validator=_TEXTS)
