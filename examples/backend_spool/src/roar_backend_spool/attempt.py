"""One attempt: a process that runs one command, and reports to roar what that really did."""

from __future__ import annotations

import platform
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from roar_backend_spool.queue import Ended, Request, write_whole
from roar_backend_spool.report import Begun, Report
from roar_core.errors import RoarError
from roar_core.fragments import Attempt, observe, to_json
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import TaskFragment


def run_attempt(request: Request) -> Ended:
    """Run a request's command in this process's place, and leave its fragment in the report."""
    with Report(Path(request.report)).begin(request) as begun:
        deliver = deliver_to(begun)
        try:
            fragment = observe(attempt_of(request), begun.journal, deliver)
        except RoarError as error:
            fragment = _unobserved(request, str(error))
            deliver(fragment)
    if fragment.signal is not None:
        return Ended(-signal.Signals[fragment.signal])
    return Ended(fragment.exit_code or 0)


def attempt_of(request: Request) -> Attempt:
    """A request in roar's words."""
    return Attempt(
        task=request.task,
        command=request.command,
        project=request.project,
        name=request.name,
        number=request.attempt,
    )


def deliver_to(begun: Begun) -> Callable[[TaskFragment], None]:
    """Where the fragment of an attempt is safe."""
    return lambda fragment: write_whole(begun.fragment, to_json(fragment))


def _unobserved(request: Request, reason: str) -> TaskFragment:
    """Run the command all the same, where roar cannot observe it."""
    attempt = attempt_of(request)
    started_at_ns = time.time_ns()
    code = subprocess.call(request.command)
    return TaskFragment(
        task=attempt.task,
        name=attempt.name or Path(request.command[0]).name,
        state="succeeded" if code == 0 else "failed",
        started_at_ns=started_at_ns,
        attempt=attempt.number,
        command=request.command,
        cwd=request.cwd,
        where=platform.node(),
        duration_s=(time.time_ns() - started_at_ns) / 1e9,
        exit_code=code if code >= 0 else None,
        signal=signal.Signals(-code).name if code < 0 else None,
        coverage=(CoverageReason("untraced", 1, reason),),
    )
