"""Carry out one `roar run` and say in a line what was recorded."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from roar_core.cli import output
from roar_core.cli.failures import explained
from roar_core.cli.summary import print_summary
from roar_core.cli.usage import count
from roar_core.errors import NoTracerError, RoarError, UncommittedError
from roar_core.run.coordinator import COMPANIONS, RunResult, run_command
from roar_core.run.options import RunOptions
from roar_core.run.relay import die_like
from roar_core.run.spawn import CannotStartError
from roar_core.telemetry.use import Use

# What somebody ends a command with who has had enough of it.
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def carry_out(options: RunOptions) -> int:
    """Run and record the command; returns its exit code, or dies of the signal that killed it."""
    tell = _silent if options.verbosity < 0 else output.tell
    # As the user has it: the project's own variables, which a run takes over, must not be able to
    # move the statistics of whoever runs it.
    environ = dict(os.environ)
    try:
        result = run_command(options, tell=tell, warn=output.warn)
    except CannotStartError as error:
        output.error(str(error))
        _count(options, environ, "run_failed_user_exit")
        return error.exit_code
    except RoarError as error:
        _count(options, environ, _refused_outcome(error))
        raise
    # The command has ended, and how it did is the answer: our words about it cannot change that.
    explained(lambda: _summarise(result, options), is_run=False)
    _count(options, environ, _outcome(result), result)
    return die_like(result.ended)


def _summarise(result: RunResult, options: RunOptions) -> int:
    if result.recorded is not None:
        print_summary(
            result.recorded.job,
            result.recorded.observation,
            added_s=result.added_s,
            verbosity=options.verbosity,
        )
    return 0


def _count(
    options: RunOptions,
    environ: Mapping[str, str],
    outcome: str | None,
    result: RunResult | None = None,
) -> None:
    """Count this use of `run` or `build` for the statistics; outcomes are counted of `run` only."""
    is_run = options.kind == "run"
    recorded = None if result is None else result.recorded
    use = Use(
        options.kind,
        succeeded=outcome == "run_success",
        outcome=outcome if is_run else None,
        tracer=_tracer(recorded.job.tracer) if recorded and recorded.job.tracer else None,
        is_quiet=options.verbosity < 0,
    )
    count(use, environ, _capabilities)


def _tracer(name: str) -> str:
    """The name of one of ours; a stranger's tracer may be called anything."""
    from roar_core.discovery import find_plugins

    ours = {
        r.name for r in find_plugins(["roar.tracers"]) if r.distribution == f"roar-tracer-{r.name}"
    }
    return name if name in ours else "unknown"


def _capabilities() -> Mapping[str, bool]:
    """What the plugins that runs load say of themselves: they are loaded already."""
    from roar_core.plugins import capabilities, load

    return capabilities([load(group) for group in ("roar.tracers", *COMPANIONS)])


def _outcome(result: RunResult) -> str:
    if result.recorded is None:
        return "run_failed_internal"
    status = result.ended.status
    by_signal = os.WIFSIGNALED(status) and os.WTERMSIG(status) in _INTERRUPTIONS
    if by_signal or result.ended.exit_code == 128 + signal.SIGINT:
        return "run_failed_interrupted"
    return "run_success" if result.ended.exit_code == 0 else "run_failed_user_exit"


def _refused_outcome(error: RoarError) -> str | None:
    if isinstance(error, UncommittedError):
        return "run_failed_dirty"
    return "run_failed_tracer_setup" if isinstance(error, NoTracerError) else None


def _silent(_: str) -> None:
    """What `-q` does with a sentence."""
