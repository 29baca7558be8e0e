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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from ray_servers import free_port, started, without_ours

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

    def stop_second(self) -> None:
        """Have the second node end as whoever takes a machine away does: by SIGTERM."""
        self.second.terminate()
        self.second.wait()


@contextmanager
def two_nodes(python: str, project: Path, *, dashboard: bool = False) -> Iterator[TwoNodes]:
    """The cluster, whose workers work in `project`; it is gone afterwards.

    The second node does not see `.roar` there. Needs root, for the mount namespace.
    """
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        kept = without_ours()
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
            # By which jobs are submitted: Ray's own may be another cluster's on this machine.
            f"--dashboard-agent-listen-port={free_port()}",
        )
        second = (
            *("unshare", "--mount", "sh", "-c"),
            'mount -t tmpfs none "$1" && mount -t tmpfs none "$2" && echo 2 > "$2/in" && shift 2 '
            '&& exec "$@"',
            *("sh", str(project / ".roar"), str(local), ray, "start", "--block", "--num-cpus=1"),
            *(f"--address=127.0.0.1:{port}", '--resources={"second": 8}'),
        )
        there = {**whole, "TMPDIR": str(temporary)}
        with (
            started(first, whole, folder / "first.log", project),
            started(second, there, folder / "second.log", project) as process,
        ):
            yield TwoNodes(
                *(f"127.0.0.1:{port}", environ, local, temporary),
                *(f"http://127.0.0.1:{web}", process),
            )
