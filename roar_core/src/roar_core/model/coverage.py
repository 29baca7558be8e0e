"""How much of a run was seen."""

from __future__ import annotations

import attrs


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
