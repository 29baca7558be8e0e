"""Run an attempt's command in the place of this process, observed where that is possible.

Whatever goes wrong on our side, the command runs once, and this process ends as it ended. For
workers that share no folder with roar; those that do call `roar_core.reports.Reports.run`.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from roar_core.errors import RoarError
from roar_core.standing_in import forget_own_locale

if TYPE_CHECKING:
    # A platform's client imports `reports`, and so this module, inside of a run.
    from roar_core.fragments import Attempt, Deliver, Tell
    from roar_core.model.fragment import TaskFragment
    from roar_core.run.relay import Ended


def run(
    attempt: Attempt,
    journal: Path,
    deliver: Deliver,
    *,
    tracer: str = "auto",
    warn: Tell | None = None,
) -> int:
    """Run an attempt's command in this process's place, and deliver what it did.

    Call it in the main thread of a process of its own, as `fragments.observe`, and exit with what
    it returns: the command's exit code; or it dies of the signal that the command died of. Neither
    what `deliver` raises nor anything else of ours changes that. A command that cannot be observed
    runs all the same, and its fragment says why. `warn` gets sentences, which go to stderr without
    it.
    """
    from roar_core.run.relay import die_like

    forget_own_locale()
    return die_like(carry_out(attempt, journal, deliver, tracer, warn or on_stderr))


def on_stderr(sentence: str) -> None:
    """Say something where `roar run` itself says what it has to say."""
    if sys.stderr is not None:
        sys.stderr.write(f"roar: {sentence}\n")


def carry_out(attempt: Attempt, journal: Path, deliver: Deliver, tracer: str, warn: Tell) -> Ended:
    """Run an attempt's command and deliver what it did; how it ended, whatever becomes of that."""
    from roar_core.fragments import observing

    ended, children = None, _Children()
    try:
        with observing(attempt, journal, deliver, tracer=tracer, warn=warn) as observed:
            ended = observed.ended
            report(observed.record, warn)
    except Exception as error:
        if ended is None:
            # RoarError comes before anything is started. After any other one nobody knows, if there
            # was a child: a command may not run twice.
            if not isinstance(error, RoarError) and children.there_were_any:
                raise
            return _carry_out_unobserved(attempt, deliver, str(error), warn)
        _say_unreported(error, warn)
    return ended


def report(tell: Callable[[], object], warn: Tell) -> None:
    """Leave what is known of a command that has ended; its journal stays when that fails."""
    try:
        tell()
    except Exception as error:
        _say_unreported(error, warn)


def run_unobserved(attempt: Attempt, warn: Tell) -> Ended:
    """Run a command and do no more."""
    from roar_core.run.relay import Ended, SignalRelay
    from roar_core.run.spawn import CannotStartError, find_program, start

    argv = [os.fsencode(word) for word in attempt.command]
    try:
        program = find_program(attempt.command[0], os.environ.get("PATH"))
        with SignalRelay() as relay:
            return relay.wait(start(program, argv, os.environb, mask=relay.mask))
    except CannotStartError as error:
        warn(str(error))
        return Ended(error.exit_code << 8)


class _Children:
    """Whether this process has had a child since this object was made."""

    def __init__(self) -> None:
        self._before = resource.getrusage(resource.RUSAGE_CHILDREN)

    @property
    def there_were_any(self) -> bool:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return resource.getrusage(resource.RUSAGE_CHILDREN) != self._before
        return True


def _say_unreported(error: Exception, warn: Tell) -> None:
    logging.getLogger(__name__).debug("reporting failed", exc_info=error)
    warn(f"the command ended, but could not be reported: {error}")


def _carry_out_unobserved(attempt: Attempt, deliver: Deliver, reason: str, warn: Tell) -> Ended:
    cwd, started_at_ns = _here(), time.time_ns()
    ended = run_unobserved(attempt, warn)
    report(lambda: deliver(_unseen(attempt, cwd, started_at_ns, ended, reason)), warn)
    return ended


def _here() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - any bytes
    except OSError:  # it is gone: the command is told so, too
        return None


def _unseen(
    attempt: Attempt, cwd: str | None, started_at_ns: int, ended: Ended, reason: str
) -> TaskFragment:
    from roar_core.model.coverage import CoverageReason
    from roar_core.model.fragment import TaskFragment

    return TaskFragment(
        task=attempt.task,
        name=attempt.name or os.path.basename(attempt.command[0]),  # noqa: PTH119 - any bytes
        state="succeeded" if ended.exit_code == 0 else "failed",
        started_at_ns=started_at_ns,
        attempt=attempt.number,
        command=attempt.command,
        cwd=cwd,
        where=attempt.where or os.uname().nodename,
        duration_s=(time.time_ns() - started_at_ns) / 1e9,
        exit_code=ended.exit_code,
        signal=ended.signal,
        coverage=(CoverageReason("untraced", 1, reason),),
    )
