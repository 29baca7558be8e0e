"""For which task attempt a thread works: one number per thread, the attempt's tag, 0 for nobody.

The number is known here and, where the library is in this process, to it as well.
"""

from __future__ import annotations

import threading

from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class _Thread(threading.local):
    tag = 0


_thread = _Thread()
_told: Callable[[int], object] | None = None


def tell_library(task_is: Callable[[int], object]) -> None:
    """From now on, call this in each thread whose tag changes."""
    global _told
    _told = task_is


def current() -> int:
    """The tag of this thread."""
    return _thread.tag


def switch(tag: int) -> int:
    """Let this thread work for `tag`; return for which it did."""
    before = _thread.tag
    if before != tag:
        _thread.tag = tag
        if _told is not None:
            _told(tag)
    return before


def of_nobody() -> None:
    """Let it be said that this thread works for nobody, which is more than to say nothing."""
    _thread.tag = 0
    if _told is not None:
        _told(0)


def back(before: int, place: str) -> None:
    """Let this thread work again for what it did. For a `finally`: raises nothing."""
    try:
        switch(before)
    except Exception as error:
        told(place, error)


def inherit(tag: int) -> None:
    """What this new thread has from the one that started it; the library knows that by itself."""
    _thread.tag = tag
