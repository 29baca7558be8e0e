"""OSMO as roar's runs see it: `osmo workflow submit`, and what its tasks did, now or later."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import roar_core
from roar_core.errors import UnreachableError
from roar_core.hookspecs import BackendPlan, Match, RunContext
from roar_core.model.coverage import CoverageReason, TaskCoverage
from roar_osmo.command_line import is_submission, queried
from roar_osmo.settings import Settings

if TYPE_CHECKING:
    from roar_core.model.fragment import TaskFragment

# Where osmo itself keeps log-ins and logs.
_OWN = ("/.config/osmo/", "/.local/state/osmo/", "/.cache/osmo/")
_ROAR = (f"{Path(__file__).parent}/", f"{Path(roar_core.__file__).parent}/")


class OsmoBackend:
    """Workflows that a run's command submits; or, when asked for by name, that it queries."""

    name = "osmo"
    priority = 50
    collect_every_s = 0.0

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008 - it is frozen
        self._settings = settings

    def detect(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Match | None:
        return Match(100, "osmo workflow submit") if is_submission(argv) else None

    def plan(self, run: RunContext, environ: Mapping[str, str]) -> BackendPlan:
        from roar_osmo.notes import Notes

        notes = Notes(run.folder)
        workflow = queried(run.command)
        if is_submission(run.command):
            notes.plan(self._settings.checked(), run.uid)
            if self._settings.returned_by == "auto":
                _open_session(run)
            # -I: variables of the command's may lead Python elsewhere.
            stand_in = (sys.executable, "-I", str(Path(__file__).with_name("stand_in.py")))
            return BackendPlan((*stand_in, str(run.folder), "--", *run.command), environ)
        if workflow is not None:
            notes.submitted(workflow)
        return BackendPlan(run.command, environ)

    def adopt(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        return {}

    def claims(self, run: RunContext, path: PurePath) -> bool:
        text = f"{path}"
        if any(own in text for own in _OWN):
            return True
        # What runs in the command's place is roar's own, wherever it is installed.
        return text.startswith(_ROAR) and (run.folder / "plan.json").exists()

    def collect(self, run: RunContext) -> Iterator[TaskFragment]:
        if not _has_any(run.folder):
            return
        from roar_osmo.client import Osmo
        from roar_osmo.collecting import Collecting

        environ = {**os.environ, "ROAR_NO_TELEMETRY": "1"}
        osmo = Osmo(run.command[0], run.cwd, self._settings.timeout_s, environ)
        yield from Collecting(run, osmo).fragments()

    def coverage(self, run: RunContext) -> TaskCoverage:
        if not _has_any(run.folder):
            return TaskCoverage(None)
        from roar_core.fragment_sessions.run_session import RunSession
        from roar_osmo.notes import Notes

        notes = Notes(run.folder)
        progress = notes.progress
        if progress is None:
            is_open = notes.workflow is not None or (notes.has_begun and not notes.was_refused)
            return TaskCoverage(None, is_final=not is_open)
        reasons = []
        if progress.running and not progress.is_final:
            words = f"of {notes.workflow or 'the workflow'} have not ended: later, roar collect"
            reasons.append(CoverageReason("tasks", progress.running, f"tasks {words}"))
        if progress.never_ran:
            words = f"of {notes.workflow} never ran: {', '.join(progress.never_ran)}"
            reasons.append(CoverageReason("tasks", len(progress.never_ran), f"tasks {words}"))
        own = RunSession(run.folder).problems
        problems = (*filter(None, (notes.problem, notes.why)), *own, *progress.problems)
        reasons += [CoverageReason("backend", 1, problem) for problem in problems]
        return TaskCoverage(progress.known, progress.is_final, tuple(reasons))

    def finalise(self, run: RunContext) -> None:
        """What lies in storage stays there: others may attach to the workflow, too."""


def _open_session(run: RunContext) -> None:
    """Open a fragment session for the tasks when the user wants one; the run's notes say how."""
    from roar_core.fragment_sessions.run_session import RunSession, is_asked_for

    if is_asked_for(run.project, os.environ):
        with suppress(UnreachableError):  # it is among the session's problems
            RunSession(run.folder).open(run.project, os.environ)


def _has_any(folder: Path) -> bool:
    """Whether this run had anything to do with OSMO: most have not, and should load nothing."""
    return any(folder.iterdir())
