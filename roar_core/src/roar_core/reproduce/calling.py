"""Run one replayed step as a process of its own, and hand on to it what would end us."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from roar_core.telemetry.suppression import for_commands


def run_to_its_end(argv: list[str], cwd: str, environ: Mapping[str, str]) -> None:
    """Run `argv` to its end; what it prints goes to stderr, for stdout is the answer's.

    It has a process group of its own, so that a Ctrl-C reaches it once, by us, and `roar run` can
    record how far it came. Raises KeyboardInterrupt afterwards.
    """
    with (
        subprocess.Popen(
            argv,
            cwd=cwd,
            # The use of roar that counts is the one that replays.
            env=for_commands(environ),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if sys.stderr is not None else subprocess.DEVNULL,
            process_group=0,
        ) as child,
        _passed_on(child) as passed,
    ):
        child.wait()
    if passed:
        raise KeyboardInterrupt


@contextmanager
def _passed_on(child: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Send what would end us to the child instead; yields the signals that came."""
    passed: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        passed.append(number)
        child.send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield passed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
