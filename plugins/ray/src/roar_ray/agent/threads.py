"""Threads: a new one works for whoever started it, a pool's for whoever gave it the work.

The library knows of new threads by itself; the interpreter's own account of tags does not.
"""

from __future__ import annotations

import threading
from concurrent.futures import thread as pools

from . import tags
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


# Of the attempts that last as long as their threads: how many run, and what is to be done then.
counted: dict[int, int] = {}
_then: dict[int, Callable[[], None]] = {}
_lock = threading.Lock()


def count(tag: int) -> None:
    """Count the threads that are started for a tag from now on."""
    counted[tag] = 0


def when_ended(tag: int, then: Callable[[], None]) -> None:
    """Do something when the last counted thread has ended: now, where there is none."""
    with _lock:
        if counted.get(tag):
            _then[tag] = then
            return
        counted.pop(tag, None)
    then()


def _ended(tag: int) -> None:
    with _lock:
        counted[tag] -= 1
        then = _then.pop(tag, None) if not counted[tag] else None
        if then is not None:
            del counted[tag]
    if then is not None:
        then()


def install(_: object) -> None:
    """See to threads and to pools of them."""
    _see_to_threads()
    _see_to_pools()


def _see_to_threads() -> None:
    start, bootstrap = threading.Thread.start, threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def _start(self: threading.Thread) -> None:
        try:
            tag = tags.current()
            if tag:
                self._roar_tag = tag  # type: ignore[attr-defined]
            if tag in counted:
                with _lock:
                    counted[tag] += 1
        except Exception as error:
            told("thread", error)
        start(self)

    def _bootstrap_inner(self: threading.Thread) -> None:
        tag = 0
        try:
            tag = self.__dict__.pop("_roar_tag", 0)
            if tag:
                tags.inherit(tag)
        except Exception as error:
            told("thread", error)
        bootstrap(self)
        try:
            if tag in counted:
                _ended(tag)
        except Exception as error:
            told("thread", error)

    threading.Thread.start = _start  # type: ignore[method-assign]
    threading.Thread._bootstrap_inner = _bootstrap_inner  # type: ignore[attr-defined]


def _see_to_pools() -> None:
    item = pools._WorkItem
    make, run = item.__init__, item.run

    def __init__(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        try:
            self._roar_tag = tags.current()
        except Exception as error:
            told("pool", error)

    def _run(self: Any, *arguments: Any) -> None:
        before = -1
        try:
            before = tags.switch(self._roar_tag)
        except Exception as error:
            told("pool", error)
        if before < 0:
            run(self, *arguments)
            return
        try:
            run(self, *arguments)
        finally:
            tags.back(before, "pool")

    item.__init__ = __init__  # type: ignore[method-assign]
    item.run = _run  # type: ignore[method-assign]
