"""What roar knows of the queue: how its commands report, and where what they did is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from roar_backend_spool.queue import SUFFIX
from roar_core.hookspecs import BackendPlan, Match, RunContext
from roar_core.model.fragment import TaskCoverage, TaskFragment

REPORT = "SPOOL_REPORT"
PROJECT = "SPOOL_PROJECT"


class SpoolBackend:
    """Commands that `spool submit` queues, alone or from inside of another command."""

    name = "spool"
    priority = 50
    collect_every_s = 0.0

    def detect(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Match | None:
        if PurePath(argv[0]).name == "spool" and list(argv[1:2]) == ["submit"]:
            return Match(100, "spool submit")
        return None

    def plan(self, run: RunContext, environ: Mapping[str, str]) -> BackendPlan:
        program, submit, *rest = run.command
        told = ("--report", str(run.folder), "--project", str(run.project))
        return BackendPlan((program, submit, *told, *rest), environ)

    def adopt(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        return {REPORT: str(run.folder), PROJECT: str(run.project)}

    def claims(self, run: RunContext, path: PurePath) -> bool:
        return any(part.endswith(SUFFIX) for part in path.parts)

    def collect(self, run: RunContext) -> Iterator[TaskFragment]:
        from roar_core.reports import Reports

        return Reports(run.folder).fragments()

    def coverage(self, run: RunContext) -> TaskCoverage:
        from roar_core.reports import Reports

        return Reports(run.folder).coverage()

    def finalise(self, run: RunContext) -> None:
        """All there is lies in the run's folder, which roar deletes."""
