"""The client: queues a command, waits for it, and ends as it did."""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from pathlib import Path

from roar_backend_spool.backend import PROJECT, REPORT
from roar_backend_spool.queue import Ended, Queue, Request

_PAUSE_S = 0.02
LOST = 75  # EX_TEMPFAIL of sysexits.h: another try may go well


def submit(
    queue: Queue, command: list[str], *, name: str, retries: int, report: str, project: str
) -> int:
    """Have a worker run `command`, `retries` times again when it fails; returns its exit code."""
    cwd = str(Path.cwd())
    report = report or os.environ.get(REPORT, "")
    project = project or os.environ.get(PROJECT, cwd)
    task = uuid.uuid4().hex[:12]
    if report:
        from roar_core.reports import Reports

        Reports(Path(report)).expect(task)
    code = LOST
    for attempt in range(1, retries + 2):
        request = Request(tuple(command), cwd, task, attempt, name, report, project)
        queued = queue.submit(request)
        ended = _wait(queue, queued)
        _copy_output(queue, queued)
        if ended is None:
            sys.stderr.write(f"spool: the worker of attempt {attempt} died\n")
        code = LOST if ended is None else ended.returncode
        if code == 0:
            break
    return code if code >= 0 else 128 - code


def _wait(queue: Queue, queued: str) -> Ended | None:
    """How a request ended; None when its worker died."""
    while True:
        ended = queue.ended(queued)
        if ended is not None:
            return ended
        if queue.is_lost(queued):
            return None
        time.sleep(_PAUSE_S)


def _copy_output(queue: Queue, queued: str) -> None:
    for stream, target in (("out", sys.stdout.buffer), ("err", sys.stderr.buffer)):
        path = queue.output(queued, stream)
        if path.exists():
            with path.open("rb") as source:
                shutil.copyfileobj(source, target)
            target.flush()
