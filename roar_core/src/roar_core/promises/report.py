"""What was found of a plugin: which promises it keeps, and what its author is to be told."""

from __future__ import annotations

from typing import NamedTuple

from roar_core.plugins import Plugin
from roar_core.promises.promise import Complaint


class Finding(NamedTuple):
    """How one promise is kept: `about` names the object of a plugin that offers several."""

    about: str
    promise: str
    is_remark: bool
    complaints: tuple[Complaint, ...]

    @property
    def is_kept(self) -> bool:
        """Whether there is nothing to say."""
        return not self.complaints


class Report(NamedTuple):
    """What was found of one plugin."""

    plugin: Plugin
    import_ms: float | None
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether every promise is kept; advice may be left unheeded."""
        return all(finding.is_kept or finding.is_remark for finding in self.findings)
