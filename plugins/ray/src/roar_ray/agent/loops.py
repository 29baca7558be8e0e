"""Event loops: what a coroutine hands to its loop is done for the attempt it was handed over by.

asyncio copies the context of whoever makes a task or asks for a call, and runs each step in that
copy. A loop that is not asyncio's own (uvloop) steps without asking us; there the coroutines that
Ray runs are still told apart, and tasks that they make are counted to the attempt that runs alone.
"""

from __future__ import annotations

import contextvars

from . import tags
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .attempts import Attempt

_tag: contextvars.ContextVar[int] = contextvars.ContextVar("roar_ray_tag", default=0)


def remember(attempt: Attempt) -> None:
    """Let the context of this coroutine, and all copies of it, name the attempt."""
    try:
        _tag.set(attempt.tag)
    except Exception as error:
        told("context", error)


def install(_: object) -> None:
    """See to asyncio's handles: one is run for each step of a task, and for each call."""
    from asyncio import events

    run = events.Handle._run
    find = contextvars.Context.get

    def _run(self: Any) -> Any:
        before = -1
        try:
            tag = find(self._context, _tag, 0)
            if tag:
                before = tags.switch(tag)
        except Exception as error:
            told("handle", error)
        if before < 0:
            return run(self)
        try:
            return run(self)
        finally:
            tags.back(before, "handle")

    events.Handle._run = _run  # type: ignore[method-assign]
