"""The process of a proxy, known by its folder: whoever has the folder can wait for it and end it.

settings.json  what the proxy is told; gone once it has read it
answer.json    whom the proxy is for, and why not for all (`Answer`)
hook.json      what Python programs need to know to dial it
bypassed       clients of Python programs that could not, a line each
ready.json     where it listens
objects.jsonl  what passed
ending         there once roar has asked it to end: what ends before that has died
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from roar_proxy_s3.runs.plain import plainly_resolved
from roar_proxy_s3.runs.preparing import (
    ANSWER,
    LISTENING,
    PROXY,
    SETTINGS,
    Answer,
    document,
    prepare,
    proxy_environ,
    write_document,
)

READY, OBJECTS, ENDING, BYPASSED = "ready.json", "objects.jsonl", "ending", "bypassed"
_LOOPBACK, _BACKLOG = "127.0.0.1", 1024
_LOOK_S = 0.002
_LAUNCH = "roar_proxy_s3.runs.launch"


class Listening(NamedTuple):
    """A proxy that was there, whether it is still or not."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def start(folder: Path, environ: Mapping[str, str]) -> Listening | None:
    """A proxy for commands with these variables; None when there can be none (`answer` says why).

    It listens from now on. What it is to know takes a process of its own where botocore must be
    asked for it, and then it is waited for; the proxy itself is not, while it loads: whoever dials
    it is served as soon as it has. Raises OSError when its process could not start.
    """
    settings = folder / SETTINGS
    found = plainly_resolved(environ)
    if found is not None:
        prepare(folder, found, environ)
        program, environ = PROXY, proxy_environ(environ)
    else:
        program = _LAUNCH
    with socket.create_server((_LOOPBACK, 0), backlog=_BACKLOG) as listening:
        port = listening.getsockname()[1]
        streams = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, listening.fileno(), LISTENING),
        ]
        argv = [sys.executable, "-P", "-m", program, os.fspath(settings)]
        pid = os.posix_spawn(
            sys.executable, argv, dict(environ), file_actions=streams, setsigmask=(), setsid=True
        )
    write_document(folder / READY, {"port": port, "pid": pid})
    if found is None and not _is_resolved(pid, folder):
        return None
    return Listening(port, pid)


def _is_resolved(pid: int, folder: Path) -> bool:
    """Whether there will be a proxy, once that is known."""
    process = os.pidfd_open(pid)
    try:
        while not (folder / ANSWER).exists():
            if select.select([process], [], [], _LOOK_S)[0]:
                break
    finally:
        os.close(process)
    said = answer(folder)
    if said.listens:
        return True
    os.waitpid(pid, 0)
    (folder / READY).unlink()
    if not said.reason:
        raise OSError("the proxy's process ended before it listened")
    return False


def listening(folder: Path) -> Listening | None:
    """Who listens, or did, for this folder."""
    told = document(folder / READY)
    return Listening(int(told["port"]), int(told["pid"])) if told else None


def answer(folder: Path) -> Answer:
    """What the process said of itself, if one was started."""
    return Answer(**document(folder / ANSWER))


def bypassed(folder: Path) -> Mapping[str, int]:
    """Why clients of Python programs went to their stores directly, and how many."""
    try:
        return Counter((folder / BYPASSED).read_text().splitlines())
    except FileNotFoundError:
        return {}


def has_died(folder: Path) -> bool:
    """Whether the proxy ended without being asked to."""
    found = listening(folder)
    return found is not None and not (folder / ENDING).exists() and not _runs(found, folder)


def end(folder: Path, within_s: float) -> bool:
    """Have the proxy end after the last byte of what is under way; whether it has, by then."""
    found = listening(folder)
    if found is None or has_died(folder):
        return True
    (folder / ENDING).touch()
    try:
        process = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return True
    try:
        # Looked at with the descriptor in hand: the number may be another process's by now.
        if not _runs(found, folder):
            return True
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGTERM)
        is_over = bool(select.select([process], [], [], within_s)[0])
    finally:
        os.close(process)
    with suppress(ChildProcessError):
        os.waitpid(found.pid, os.WNOHANG)  # it is another roar's when this one recovers the run
    if is_over:
        # It has read them, unless it was ended while it loaded.
        (folder / SETTINGS).unlink(missing_ok=True)
    return is_over


def _runs(found: Listening, folder: Path) -> bool:
    """Whether the proxy of this folder runs under that number."""
    about = Path(f"/proc/{found.pid}")
    try:
        words = (about / "cmdline").read_bytes().split(b"\0")
        if words == [b""]:
            # It has ended, or is just becoming the proxy.
            return (about / "stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False
    return os.fsencode(folder / SETTINGS) in words
