"""A cluster of two nodes on this machine, the second of which does not see the runs' folders.

Each is a raylet of its own, with token authentication. The second one has a mount namespace: below
`hidden` it sees an empty folder, as another machine would, and `local` is a disk of its own.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from agent_cluster import free_port

# Started, a node may take long on a busy machine; Ray itself would give up after ten seconds.
_PATIENT = {"RAY_raylet_start_wait_time_s": "180"}


@attrs.frozen
class TwoNodes:
    """`environ` is what a driver needs to be let in; tasks go to the second by `{"second": 1}`.

    `local` is the second's own disk, `temporary` its folder for temporary files.
    """

    address: str
    environ: dict[str, str]
    local: Path
    temporary: Path
    dashboard: str
    second: subprocess.Popen[bytes]

    def kill_second(self) -> None:
        """Kill -9 the second node: its raylet, and all its workers."""
        os.killpg(self.second.pid, signal.SIGKILL)
        self.second.wait()


@contextmanager
def two_nodes(python: str, project: Path, *, dashboard: bool = False) -> Iterator[TwoNodes]:
    """The cluster, whose workers work in `project`; it is gone afterwards.

    The second node does not see `.roar` there. Needs root, for the mount namespace.
    """
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "ROAR_", "PYTHON"))
        }
        environ = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
        (folder / "token").write_text(secrets.token_hex(32))
        local, temporary = folder / "local", folder / "tmp"
        local.mkdir()
        temporary.mkdir()
        port, web = free_port(), free_port()
        programs = Path(python).parent
        # What an entrypoint calls `python` is the nodes' own.
        path = {"PATH": f"{programs}:{kept.get('PATH', os.defpath)}"}
        whole = {**kept, **environ, **_PATIENT, **path, "RAY_USAGE_STATS_ENABLED": "0"}
        ray = str(programs / "ray")
        first = (
            *(ray, "start", "--head", "--block", "--num-cpus=1", f"--port={port}"),
            *(f"--temp-dir={folder}/t", f"--include-dashboard={str(dashboard).lower()}"),
            f"--dashboard-port={web}",
        )
        second = (
            *("unshare", "--mount", "sh", "-c"),
            'mount -t tmpfs none "$1" && mount -t tmpfs none "$2" && echo 2 > "$2/in" && shift 2 '
            '&& exec "$@"',
            *("sh", str(project / ".roar"), str(local), ray, "start", "--block", "--num-cpus=1"),
            *(f"--address=127.0.0.1:{port}", '--resources={"second": 8}'),
        )
        started: list[subprocess.Popen[bytes]] = []
        try:
            _start(started, first, project, whole, folder / "first.log")
            there = {**whole, "TMPDIR": str(temporary)}
            _start(started, second, project, there, folder / "second.log")
            yield TwoNodes(
                *(f"127.0.0.1:{port}", environ, local, temporary),
                *(f"http://127.0.0.1:{web}", started[1]),
            )
        finally:
            for process in reversed(started):
                _stop(process)


def _start(
    started: list[subprocess.Popen[bytes]],
    argv: tuple[str, ...],
    project: Path,
    environ: dict[str, str],
    log: Path,
) -> None:
    with log.open("w") as out:
        process = subprocess.Popen(
            argv, cwd=project, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    started.append(process)
    while "Ray runtime started" not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
