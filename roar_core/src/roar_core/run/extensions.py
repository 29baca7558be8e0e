"""What plugins contribute to the record of one run, loaded while its command runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from roar_core.config.layers import Config
from roar_core.model.coverage import CoverageReason
from roar_core.project import Project
from roar_core.run.analysis import Analysis
from roar_core.run.layouts import Layouts


class Extensions(NamedTuple):
    """The analyzers and the dataset layouts of one run; `layouts` is None when not wanted."""

    analysis: Analysis
    layouts: Layouts | None

    @classmethod
    def prepare(cls, project: Project, config: Config, environ: Mapping[str, str]) -> Extensions:
        """Load them; a plugin that fails is told by `failures`, nothing is raised.

        `environ` holds the command's variables, or nothing where they are not known any more.
        """
        return cls(Analysis.prepare(project, config, environ), Layouts.prepare(project, config))

    def failures(self) -> list[str]:
        """A sentence for each plugin that failed, so far."""
        return self.analysis.failures + (self.layouts.failures if self.layouts else [])

    def reasons(self) -> tuple[CoverageReason, ...]:
        """What the failures mean for the record."""
        layouts = self.layouts.failures if self.layouts else []
        return (
            *(CoverageReason("analyzer", 1, failure) for failure in self.analysis.failures),
            *(CoverageReason("composite", 1, failure) for failure in layouts),
        )
