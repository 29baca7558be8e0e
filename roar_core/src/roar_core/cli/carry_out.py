"""Carry out one `roar run` and say in a line what was recorded."""

from __future__ import annotations

from roar_core.cli import output
from roar_core.cli.failures import explained
from roar_core.cli.summary import print_summary
from roar_core.run.coordinator import RunResult, run_command
from roar_core.run.options import RunOptions
from roar_core.run.relay import die_like
from roar_core.run.spawn import CannotStartError


def carry_out(options: RunOptions) -> int:
    """Run and record the command; returns its exit code, or dies of the signal that killed it."""
    tell = _silent if options.verbosity < 0 else output.tell
    try:
        result = run_command(options, tell=tell, warn=output.warn)
    except CannotStartError as error:
        output.error(str(error))
        return error.exit_code
    # The command has ended, and how it did is the answer: our words about it cannot change that.
    explained(lambda: _summarise(result, options), is_run=False)
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


def _silent(_: str) -> None:
    """What `-q` does with a sentence."""
