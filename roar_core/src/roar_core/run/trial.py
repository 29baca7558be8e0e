"""One command under one tracer, recorded nowhere: does this tracer see it?"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from roar_core.errors import UsageError
from roar_core.hookspecs import LaunchPlan, Tracer
from roar_core.journal import Journal, Kind
from roar_core.model.coverage import CoverageReason
from roar_core.observe.processes import ProcessTable
from roar_core.run.execution import tell_gaps
from roar_core.run.spawn import CannotStartError, find_program


class Trial(NamedTuple):
    """How the command ended, how many programs and opens were seen, and what was not."""

    exit_code: int
    programs: int
    opens: int
    reasons: tuple[CoverageReason, ...]

    @property
    def saw_everything(self) -> bool:
        """Whether no hole is known."""
        return not self.reasons

    def __str__(self) -> str:
        """One line for people."""
        seen = f"exit {self.exit_code}, programs seen: {self.programs}, opens: {self.opens}"
        missed = "; ".join(f"{reason.code}: {reason.detail}" for reason in self.reasons)
        return f"{seen}; not seen: {missed}" if missed else seen


def try_tracer(tracer: Tracer, command: Sequence[str], call: Callable[..., Any]) -> Trial:
    """Run `command` for real under `tracer`; its standard output is thrown away.

    `call(doing, function, *arguments)` calls into the plugin and names it in what it raises. Raises
    `UsageError` when the command cannot be found.
    """
    try:
        program = find_program(command[0], os.environ.get("PATH"))
    except CannotStartError as error:
        raise UsageError(str(error)) from error
    uid = os.urandom(16).hex()
    cwd = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="roar-trial-") as folder:
        journal = Journal.create(Path(folder) / "trial.jnl", uid, preimage_wait_ms=0)
        try:
            plan = LaunchPlan(
                program=os.fsencode(cwd / program),
                argv=tuple(os.fsencode(word) for word in command),
                environ=dict(os.environb),
                cwd=cwd,
                journal=Path(journal.path),
                run_uid=uid,
            )
            launch = call("preparing a trial", tracer.launch, plan)
            started = subprocess.Popen(  # argv[0] of the user's own command may be any word
                launch.argv,
                executable=plan.program if launch.argv == plan.argv else None,
                env=launch.environ,
                pass_fds=launch.pass_fds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            call("following a trial", launch.started, started.pid)
            exit_code = started.wait()
            reasons = tell_gaps(journal, call("finishing a trial", launch.finished))
            records = journal.finish()
            if journal.lost:
                reasons.append(
                    CoverageReason("lost", journal.lost, "more than a trial has room for")
                )
        finally:
            journal.remove()
    table = ProcessTable(records)
    opens = sum(record.kind == Kind.OPEN for record in records)
    return Trial(exit_code, table.programs, opens, (*table.reasons(), *reasons))
