"""What code does behind one's back, by Python's audit events ("Audit events table" of its manual).

For promises such as "starts no process": what is done in native code is not seen.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
_FILES = ("open", "os.listdir", "os.scandir", "socket.connect")


class _Listener(NamedTuple):
    events: tuple[str, ...]
    heard: list[str]


_listeners: list[_Listener] = []


@contextmanager
def started_processes() -> Iterator[list[str]]:
    """What starts a process meanwhile."""
    with _listening(_STARTS) as heard:
        yield heard


@contextmanager
def touched_files() -> Iterator[list[str]]:
    """What opens a file, lists a folder or connects to somebody meanwhile."""
    with _listening(_FILES) as heard:
        yield heard


@contextmanager
def _listening(events: tuple[str, ...]) -> Iterator[list[str]]:
    if not _listeners:
        # A hook cannot be taken away again, so one serves for good, mostly with nobody to tell.
        sys.addaudithook(_tell_listeners)
        _listeners.append(_Listener((), []))
    listener = _Listener(events, [])
    _listeners.append(listener)
    try:
        yield listener.heard
    finally:
        # By identity: two that have heard the same are equal.
        _listeners[:] = [each for each in _listeners if each is not listener]


def _tell_listeners(event: str, arguments: object) -> None:
    for listener in _listeners:
        if event in listener.events:
            listener.heard.append(f"{event}{arguments}")
