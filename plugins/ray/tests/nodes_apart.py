"""A cluster of two nodes that share nothing but the machine: two network namespaces, two /tmp.

A cable of the kernel's (veth) joins them, and is all that does. The first has Ray's head, and is
where drivers run; the second sees none of the first's files, nor its processes' ports.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
from ray_servers import started, without_ours

_PORT = 6379
_PATIENT = {"RAY_raylet_start_wait_time_s": "180"}


@attrs.frozen
class NodesApart:
    """`enter` is what a driver's command begins with, `environ` what lets it in.

    Tasks go to the second node by `{"second": 1}`, where `/tmp/in` holds "2".
    """

    enter: tuple[str, ...]
    environ: dict[str, str]
    second: subprocess.Popen[bytes]

    def at_second(self, *argv: str) -> str:
        """What a command prints that sees what the second node sees."""
        entering = ("nsenter", "--target", str(self.second.pid), "--mount", "--net")
        done = subprocess.run([*entering, *argv], capture_output=True, text=True, check=True)
        return done.stdout


@contextmanager
def nodes_apart(python: str, project: Path) -> Iterator[NodesApart]:
    """The cluster; the first node works in `project`. Gone afterwards. Needs root."""
    name = f"roar{os.getpid()}"
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True)
            )
        )
        subnet = f"10.{os.getpid() % 250}.0"
        for number in (1, 2):
            _ip("netns", "add", f"{name}-{number}")
            stack.callback(_ip, "netns", "del", f"{name}-{number}")
        cable = (f"{name}a", f"{name}b")
        _ip("link", "add", cable[0], "type", "veth", "peer", "name", cable[1])
        for number, end in enumerate(cable, 1):
            space = f"{name}-{number}"
            _ip("link", "set", end, "netns", space)
            _ip("-n", space, "address", "add", f"{subnet}.{number}/24", "dev", end)
            _ip("-n", space, "link", "set", end, "up")
            _ip("-n", space, "link", "set", "lo", "up")
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        whole = {**without_ours(), **token, **_PATIENT, "RAY_USAGE_STATS_ENABLED": "0"}
        enter = [("nsenter", f"--net=/run/netns/{name}-{number}") for number in (1, 2)]
        ray = str(Path(python).parent / "ray")
        start = (ray, "start", "--block", "--num-cpus=1")
        first = (
            *(*enter[0], *start, "--head", f"--port={_PORT}", f"--node-ip-address={subnet}.1"),
            *(f"--temp-dir={folder}/t", "--include-dashboard=false"),
        )
        second = (
            *(*enter[1], "unshare", "--mount", "sh", "-c"),
            *('mount -t tmpfs none /tmp && echo 2 > /tmp/in && cd /tmp && exec "$@"', "sh"),
            *(*start, f"--address={subnet}.1:{_PORT}", f"--node-ip-address={subnet}.2"),
            '--resources={"second": 8}',
        )
        stack.enter_context(started(first, whole, folder / "first.log", project))
        process = stack.enter_context(started(second, whole, folder / "second.log"))
        yield NodesApart(enter[0], {**token, "RAY_ADDRESS": f"{subnet}.1:{_PORT}"}, process)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
