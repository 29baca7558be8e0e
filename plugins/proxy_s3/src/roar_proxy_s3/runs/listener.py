"""The process of a proxy, known by its folder: whoever has the folder can wait for it and end it.

settings.json  what the proxy is told; gone once it has read it
answer.json    whom the proxy is for, and why not for all (`Answer`)
hook.json      what Python programs need to know to dial it
bypassed       clients of Python programs that could not, a line each
ready.json     where it listens, written by the proxy
ending         there once roar has asked it to end: what ends before that has died
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import attrs

SETTINGS, ANSWER, READY, HOOK = "settings.json", "answer.json", "ready.json", "hook.json"
OBJECTS, ENDING, BYPASSED = "objects.jsonl", "ending", "bypassed"
_LOOK_S = 0.002
_PROGRAM = "roar_proxy_s3.runs.launch"


@attrs.frozen
class Answer:
    """Whether the proxy can be given to clients as their endpoint; `reason` is what is missing."""

    injects: bool = False
    reason: str = ""


class Listening(NamedTuple):
    """A proxy that was there, whether it is still or not."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def start(folder: Path, environ: Mapping[str, str]) -> Listening | None:
    """A proxy for commands with these variables; None when there can be none (`answer` says why).

    Raises OSError when its process could not start.
    """
    argv = [sys.executable, "-P", "-m", _PROGRAM, os.fspath(folder)]
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    pid = os.posix_spawn(
        sys.executable, argv, dict(environ), file_actions=streams, setsigmask=(), setsid=True
    )
    process = os.pidfd_open(pid)
    try:
        while (found := listening(folder)) is None:
            if select.select([process], [], [], _LOOK_S)[0]:
                os.waitpid(pid, 0)
                if not answer(folder).reason:
                    raise OSError("the proxy's process ended before it listened")
                return None
    finally:
        os.close(process)
    return found


def listening(folder: Path) -> Listening | None:
    """Who listens, or did, for this folder."""
    told = _document(folder / READY)
    return Listening(int(told["port"]), int(told["pid"])) if told else None


def answer(folder: Path) -> Answer:
    """What the process said of itself, if one was started."""
    return Answer(**_document(folder / ANSWER))


def write_private(file: Path, told: Mapping[str, Any]) -> None:
    """Write a document that only this user may read."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as target:
        json.dump(told, target)


def bypassed(folder: Path) -> Mapping[str, int]:
    """Why clients of Python programs went to their stores directly, and how many."""
    try:
        return Counter((folder / BYPASSED).read_text().splitlines())
    except FileNotFoundError:
        return {}


def write_answer(folder: Path, said: Answer) -> None:
    """Say it, whole or not at all."""
    new = folder / f"{ANSWER}.new"
    new.write_text(json.dumps(attrs.asdict(said)))
    new.replace(folder / ANSWER)


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
    return is_over


def _runs(found: Listening, folder: Path) -> bool:
    """Whether the proxy of this folder runs under that number."""
    try:
        words = Path(f"/proc/{found.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(folder / SETTINGS) in words


def _document(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return told
