"""Event loops: what a coroutine hands to its loop is done for the attempt it was handed over by.

asyncio copies the context of whoever makes a task or asks for a call, and runs each step in that
copy. uvloop, which Ray takes where it is installed, runs handles of its own; but it is asked for
each step by the methods of its loop. On any other loop the coroutines that Ray runs are still told
apart, and tasks that they make are counted to the attempt that runs alone.
"""

from __future__ import annotations

import contextvars
import sys

from . import tags
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
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
    """See to each step of a task, and to each call, of asyncio's loops and of uvloop's."""
    _see_to_handles()
    loop = getattr(sys.modules.get("uvloop"), "Loop", None)
    if loop is not None:
        for name in ("call_soon", "call_soon_threadsafe"):
            setattr(loop, name, _asking(getattr(loop, name)))
        for name in ("call_later", "call_at"):
            setattr(loop, name, _asking_when(getattr(loop, name)))


def _asking(ask: Callable[..., Any]) -> Callable[..., Any]:
    def asked(self: Any, callback: Any, *arguments: Any, **named: Any) -> Any:
        return ask(self, _tagged(callback, named.get("context")), *arguments, **named)

    return asked


def _asking_when(ask: Callable[..., Any]) -> Callable[..., Any]:
    def asked(self: Any, when: float, callback: Any, *arguments: Any, **named: Any) -> Any:
        return ask(self, when, _tagged(callback, named.get("context")), *arguments, **named)

    return asked


def _tagged(callback: Any, context: contextvars.Context | None) -> Any:
    """The callback, for the attempt that its context names; as it is when that names none."""
    try:
        tag = _tag.get() if context is None else context.get(_tag, 0)
    except Exception as error:
        told("callback", error)
        return callback
    if not tag or not callable(callback):
        return callback

    def run(*arguments: Any) -> Any:
        before = tags.switch(tag)
        try:
            return callback(*arguments)
        finally:
            tags.back(before, "callback")

    return run


def _see_to_handles() -> None:
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
