"""`roar run` once for each of several steps, one after the other, each in a process of its own.

A run of its own is what a user would have typed: it takes the signals, it ends as its command does,
and what goes wrong in one leaves the next untouched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from roar_core.telemetry.suppression import for_commands

_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def run_in_turn(
    steps: Sequence[str],
    *,
    quiet: bool = False,
    stdout_to_stderr: bool = False,
    is_needed: Callable[[int], bool] = lambda _: True,
) -> list[int | None]:
    """Run `steps` again until one fails; the exit code of each that ran, as a shell tells it.

    `is_needed` is asked before each, by its place in `steps`; None stands for one that is not.

    A Ctrl-C reaches the command from the terminal; it, like a signal to stop that is sent to us and
    passed on, is the last step's end.
    """
    codes: list[int | None] = []
    for place, step in enumerate(steps):
        if not is_needed(place):
            codes.append(None)
            continue
        # -P: the working directory is the user's, and none of its files are modules of ours.
        argv = [sys.executable, "-P", "-m", "roar_core", "run", *(["-q"] * quiet), step]
        code, was_stopped = _run(argv, stdout_to_stderr=stdout_to_stderr)
        codes.append(code)
        if code or was_stopped:
            break
    return codes


def _run(argv: Sequence[str], *, stdout_to_stderr: bool) -> tuple[int, bool]:
    """How the process ended, and whether we were told to stop meanwhile."""
    stopped: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _: FrameType | None) -> None:
        stopped.append(number)
        if process is not None:
            process.send_signal(number)

    def note_interrupt(number: int, _: FrameType | None) -> None:
        stopped.append(number)

    handlers = dict.fromkeys(_PASSED_ON, pass_on) | {signal.SIGINT: note_interrupt}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        target = sys.stderr if stdout_to_stderr else None
        # One `roar rerun` is one use of roar, however many steps it has.
        environ = for_commands(os.environ)
        process = subprocess.Popen(argv, stdout=target, env=environ)
        for number in stopped:
            process.send_signal(number)
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return (128 - code if code < 0 else code), bool(stopped)
