"""Coroutines, driven step by step: their task is their thread's only while they run.

One event loop's thread works for many attempts in turn. asyncio's own tasks that a coroutine makes
carry its tag by their context, see `loops`.
"""

from __future__ import annotations

import collections.abc

from . import loops

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Any

    from .attempts import Attempt
    from .function import TracedFunction


class Steps(collections.abc.Coroutine):  # type: ignore[type-arg]
    """Awaits `awaited` for an attempt, which, when that is the `whole` of it, ends with it."""

    __slots__ = ("_attempt", "_function", "_inner", "_is_whole")

    def __init__(
        self,
        function: TracedFunction,
        attempt: Attempt,
        awaited: Awaitable[Any],
        *,
        is_whole: bool = True,
    ) -> None:
        self._function = function
        self._attempt = attempt
        # A coroutine is stepped itself; others say what is.
        self._inner: Any = awaited if hasattr(awaited, "send") else awaited.__await__()
        self._is_whole = is_whole

    def __await__(self) -> Generator[Any, Any, Any]:
        loops.remember(self._attempt)
        return self

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Let it run until it waits."""
        return self._step(self._inner.send, value)

    def throw(self, *raised: Any) -> Any:
        """Let it run with an exception, until it waits again."""
        return self._step(self._inner.throw, *raised)

    def _step(self, step: Callable[..., Any], *given: Any) -> Any:
        before = self._function.enter(self._attempt)
        try:
            return step(*given)
        except StopIteration:
            if self._is_whole:
                self._function.succeeded(self._attempt)
            raise
        except BaseException as error:
            if self._is_whole:
                self._function.failed(self._attempt, error)
            raise
        finally:
            self._function.leave(before)

    def close(self) -> None:
        """Give it up."""
        before = self._function.enter(self._attempt)
        try:
            self._inner.close()
        finally:
            self._function.leave(before)
