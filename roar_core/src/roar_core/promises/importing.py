"""What importing a plugin costs and says, found out in a process that has not imported it yet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

from roar_core.promises.promise import Complaint, promise, remark

LIMIT_MS = 50
_TIMEOUT_S = 60

# What roar has imported itself before it loads a plugin is not the plugin's cost.
_PROBE = """
import sys, time
import click, roar_core.errors, roar_core.hookspecs, roar_core.journal
started = time.perf_counter()
__import__(sys.argv[1])
took_ms = (time.perf_counter() - started) * 1000
with open(int(sys.argv[2]), "w") as report:
    report.write(str(took_ms))
"""


class FreshImport(NamedTuple):
    """How one import went: `took_ms` is None when it came to no good end, `said` its output."""

    module: str
    took_ms: float | None
    said: str


def import_afresh(module: str) -> FreshImport:
    """Import `module` in an interpreter of its own."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)  # a child that the import left behind may hold the other end
    try:
        done = subprocess.run(
            # -P: as for an installed roar, the working directory is no place for modules.
            [sys.executable, "-P", "-c", _PROBE, module, str(writer)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            pass_fds=(writer,),
            timeout=_TIMEOUT_S,
            check=False,
        )
        took_ms = float(os.read(reader, 64))
    except (subprocess.TimeoutExpired, BlockingIOError, ValueError):
        return FreshImport(module, None, "")  # ValueError: nothing came, for it was cut short
    finally:
        os.close(reader)
        os.close(writer)
    return FreshImport(module, took_ms, (done.stdout + done.stderr).strip())


@promise("importing it prints nothing")
def says_nothing(fresh: FreshImport) -> Iterator[Complaint]:
    if fresh.said:
        yield Complaint(
            f"it prints {fresh.said.splitlines()[0][:80]!r}",
            "stdout and stderr belong to the user's command: return what is to be told",
        )


@remark(f"importing it takes at most {LIMIT_MS} ms")
def is_quick(fresh: FreshImport) -> Iterator[Complaint]:
    if fresh.took_ms is not None and fresh.took_ms > LIMIT_MS:
        yield Complaint(
            f"it took {fresh.took_ms:.0f} ms",
            "import what is heavy inside the method that needs it; "
            f"find it: python -X importtime -c 'import {fresh.module}'",
        )


PROMISES = (says_nothing, is_quick)
