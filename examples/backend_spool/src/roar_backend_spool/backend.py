"""What roar knows of the queue: how its commands report, and where what they did is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from roar_backend_spool.queue import SUFFIX
from roar_backend_spool.report import Begun, Report
from roar_core.hookspecs import BackendPlan, Match, RunContext
from roar_core.model.coverage import CoverageReason
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
        from roar_core.fragments import from_json

        for begun in Report(run.folder).begun():
            if not begun.fragment.exists():
                _recover(begun)
            if begun.fragment.exists():
                yield from_json(begun.fragment.read_bytes())

    def coverage(self, run: RunContext) -> TaskCoverage:
        report = Report(run.folder)
        told: set[str] = set()
        is_open = False
        for begun in report.begun():
            if begun.fragment.exists():
                told.add(begun.request.task)
            else:
                is_open = True
        tasks = report.tasks()
        running = CoverageReason("tasks", 1, "attempts of spool are still running")
        reasons = (running,) if is_open else ()
        return TaskCoverage(len(tasks), is_final=told >= tasks and not is_open, reasons=reasons)

    def finalise(self, run: RunContext) -> None:
        """All there is lies in the run's folder, which roar deletes."""


def _recover(begun: Begun) -> None:
    """Write the fragment of an attempt whose process was killed, when its command is gone too."""
    from roar_backend_spool.attempt import attempt_of, deliver_to
    from roar_core.fragments import is_running, recover

    if begun.is_held or is_running(begun.journal):
        return
    request = begun.request
    recover(attempt_of(request), begun.journal, deliver_to(begun), cwd=Path(request.cwd))
