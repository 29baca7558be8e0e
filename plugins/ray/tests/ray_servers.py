"""Ray's own servers, as the tests start and stop them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from roar_core.testing.processes import wait_for

# On a busy machine the server of a client takes longer than the 30 s that Ray gives it.
PATIENT_WITH_CLIENTS = dict.fromkeys(
    ("TIMEOUT_FOR_SPECIFIC_SERVER_S", "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S"), "300"
)


def without_ours() -> dict[str, str]:
    """This process's variables, but for those of Ray, roar and Python."""
    ours = ("RAY_", "ROAR_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def started(
    argv: Sequence[str | Path], environ: Mapping[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """What `ray start --block` is, once it says that it runs; gone afterwards, with its group."""
    with log.open("w") as out:
        process = subprocess.Popen(
            argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    try:
        while "Ray runtime started" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_client(python: str, address: str, environ: Mapping[str, str], *enter: str) -> None:
    """Return when a client is served at `ray://…`, which is later than Ray says that it runs."""
    trial = (*enter, python, "-c", "import ray, sys; ray.init(sys.argv[1])", address)
    wait_for(lambda: not subprocess.run(trial, env=environ, check=False).returncode, 300)
