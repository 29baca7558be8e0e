"""The queue: a folder whose files are requests, moved from state to state by rename(2).

    NAME.spool/queued/<id>      waits for a worker
    NAME.spool/running/<id>     locked (flock(2)) by the worker that runs it, until that dies
    NAME.spool/done/<id>        how it ended
    NAME.spool/output/<id>.out  what it wrote to stdout; .err: to stderr

A lock is the kernel's to release, so that a killed worker is known as such at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

SUFFIX = ".spool"
_STATES = ("queued", "running", "done", "output")


class Request(NamedTuple):
    """A command that somebody wants to have run; `report` is where roar wants to hear of it.

    `task` is the same for all attempts at one task; `report` and `project` are empty without roar.
    """

    command: tuple[str, ...]
    cwd: str
    task: str
    attempt: int = 1
    name: str = ""
    report: str = ""
    project: str = ""


class Ended(NamedTuple):
    """How a command ended: as `subprocess` tells it, negative for a signal."""

    returncode: int


class Queue:
    """A queue in one folder, which is made when it is missing."""

    def __init__(self, folder: Path) -> None:
        if folder.suffix != SUFFIX:
            raise SystemExit(f"spool: the folder's name must end in {SUFFIX}: {folder}")
        self.folder = folder
        for state in _STATES:
            (folder / state).mkdir(mode=0o700, parents=True, exist_ok=True)

    def submit(self, request: Request) -> str:
        """Add a request; returns its id."""
        name = uuid.uuid4().hex
        write_whole(self.folder / "queued" / name, request._asdict())
        return name

    @contextmanager
    def claim(self) -> Iterator[tuple[str, Request] | None]:
        """Take the oldest request and hold it, or None when there is none to be had."""
        for path in sorted((self.folder / "queued").glob("[!.]*"), key=_age):
            with held(path) as is_mine:
                if is_mine and _renamed(path, self.folder / "running" / path.name):
                    yield path.name, read_request(self.folder / "running" / path.name)
                    return
        yield None

    def finish(self, name: str, ended: Ended) -> None:
        """Tell how a claimed request ended."""
        write_whole(self.folder / "done" / name, ended._asdict())

    def ended(self, name: str) -> Ended | None:
        """How a request ended, None while it has not."""
        try:
            return Ended(**json.loads((self.folder / "done" / name).read_bytes()))
        except FileNotFoundError:
            return None

    def is_lost(self, name: str) -> bool:
        """Whether a worker has claimed this request and died without a word."""
        with held(self.folder / "running" / name) as is_free:
            return is_free and self.ended(name) is None

    def output(self, name: str, stream: str) -> Path:
        """Where the command's `out` or `err` goes."""
        return self.folder / "output" / f"{name}.{stream}"


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock of a file; False when another process has it, or there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_held = True
    except BlockingIOError:
        is_held = False
    try:
        yield is_held
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: dict[str, Any] | bytes) -> None:
    """Write a file that is there whole or not at all, also after a crash."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as target:
        target.write(content if isinstance(content, bytes) else json.dumps(content).encode())
        target.flush()
        os.fsync(target.fileno())
    partial.rename(path)


def read_request(path: Path) -> Request:
    """The request in a file, of a queue or of a report."""
    fields = json.loads(path.read_bytes())
    return Request(**fields | {"command": tuple(fields["command"])})


def _renamed(path: Path, to: Path) -> bool:
    try:
        path.rename(to)
    except FileNotFoundError:  # its lock was free because it had just been moved
        return False
    return True


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except FileNotFoundError:  # claimed meanwhile
        return 0, path.name
