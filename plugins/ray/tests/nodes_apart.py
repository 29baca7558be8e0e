"""Nodes that share nothing but the machine: two network namespaces, each with a /tmp of its own.

A cable of the kernel's (veth) joins them, and is all that does. What has a /tmp of its own sees
none of the others' files, nor any project's.
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
from ray_servers import PATIENT_WITH_CLIENTS, started, wait_for_client, without_ours

_PORT = 6379
_PATIENT = {"RAY_raylet_start_wait_time_s": "180", "RAY_USAGE_STATS_ENABLED": "0"}
_OWN_TMP = (
    *("unshare", "--mount", "sh", "-c"),
    *('mount -t tmpfs none /tmp && echo 2 > /tmp/in && cd /tmp && exec "$@"', "sh"),
)


@attrs.frozen
class Place:
    """One end of the cable: what a command begins with to be there, and its address."""

    enter: tuple[str, ...]
    address: str


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
def cable() -> Iterator[tuple[Place, Place]]:
    """Two networks, and the cable between them; gone afterwards. Needs root."""
    name, subnet = f"roar{os.getpid()}", f"10.{os.getpid() % 250}.0"
    with ExitStack() as stack:
        for number in (1, 2):
            _ip("netns", "add", f"{name}-{number}")
            stack.callback(_ip, "netns", "del", f"{name}-{number}")
        ends = (f"{name}a", f"{name}b")
        _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for number, end in enumerate(ends, 1):
            space = f"{name}-{number}"
            _ip("link", "set", end, "netns", space)
            _ip("-n", space, "address", "add", f"{subnet}.{number}/24", "dev", end)
            _ip("-n", space, "link", "set", end, "up")
            _ip("-n", space, "link", "set", "lo", "up")
        yield (
            Place(("nsenter", f"--net=/run/netns/{name}-1"), f"{subnet}.1"),
            Place(("nsenter", f"--net=/run/netns/{name}-2"), f"{subnet}.2"),
        )


@contextmanager
def _ray(
    python: str, place: Place, environ: dict[str, str], *options: str, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A node of Ray there; without `cwd`, with a /tmp of its own."""
    argv = (
        *(*place.enter, *(_OWN_TMP if cwd is None else ()), str(Path(python).parent / "ray")),
        *("start", "--block", "--num-cpus=1", f"--node-ip-address={place.address}", *options),
    )
    with (
        tempfile.NamedTemporaryFile(prefix="r", suffix=".log") as log,
        started(argv, {**without_ours(), **environ, **_PATIENT}, Path(log.name), cwd) as process,
    ):
        yield process


@contextmanager
def nodes_apart(python: str, project: Path) -> Iterator[NodesApart]:
    """A cluster of two nodes; the first works in `project`, the second has a /tmp of its own."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with (
        tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder,
        cable() as (first, second),
    ):
        head = ("--head", f"--port={_PORT}", f"--temp-dir={folder}/t", "--include-dashboard=false")
        joins = (f"--address={first.address}:{_PORT}", '--resources={"second": 8}')
        with (
            _ray(python, first, token, *head, cwd=project),
            _ray(python, second, token, *joins) as process,
        ):
            environ = {**token, "RAY_ADDRESS": f"{first.address}:{_PORT}"}
            yield NodesApart(first.enter, environ, process)


@contextmanager
def head_apart(python: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """A cluster of one node for clients that are elsewhere.

    Gives what a client's command begins with, and the address for Ray Client.
    """
    with cable() as (first, second):
        head = ("--head", f"--port={_PORT}", "--include-dashboard=false")
        open_to_all = {"RAY_AUTH_MODE": "disabled"}
        with _ray(python, first, open_to_all | PATIENT_WITH_CLIENTS, *head):
            address = f"ray://{first.address}:10001"
            wait_for_client(python, address, {**without_ours(), **open_to_all}, *second.enter)
            yield second.enter, address


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
