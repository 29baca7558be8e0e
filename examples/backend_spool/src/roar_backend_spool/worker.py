"""The worker: takes requests from the queue and runs each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from roar_backend_spool.queue import Ended, Queue, Request

_PAUSE_S = 0.02


def work(queue: Queue, *, until_empty: bool) -> None:
    """Run requests as they come, one after the other; `until_empty`: end when there are none."""
    while True:
        with queue.claim() as claimed:
            if claimed is not None:
                name, request = claimed
                queue.finish(name, _run(queue, name, request))
                continue
        if until_empty:
            return
        time.sleep(_PAUSE_S)


def _run(queue: Queue, name: str, request: Request) -> Ended:
    argv = list(request.command)
    if request.report:
        argv = [sys.executable, "-m", "roar_backend_spool", "attempt"]
        argv.append(str((queue.folder / "running" / name).resolve()))
    with queue.output(name, "out").open("wb") as out, queue.output(name, "err").open("wb") as err:
        try:
            done = subprocess.run(
                argv, cwd=Path(request.cwd), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                check=False,
            )  # fmt: skip
        except OSError as error:
            err.write(f"spool: {argv[0]}: {error.strerror}\n".encode())
            return Ended(127)
    return Ended(done.returncode)
