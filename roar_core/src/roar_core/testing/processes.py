"""Processes that run beside a test: waiting for what they do, and ending them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

_LOOK_S = 0.01


def wait_for(condition: Callable[[], object], within_s: float = 60) -> None:
    """Return once something is so; fail when it does not become so in that time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(_LOOK_S)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill -9 a process that leads a group, and all of that group; return when it has ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
