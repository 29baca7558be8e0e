"""Generators, driven step by step: their task is this thread's only while they run.

They have to be real generators, since Ray asks what they are, and to pass on all that a caller can
do: Ray Data sends values into them. The order of steps is that of `yield from` (PEP 380), and what
would be that of an asynchronous one.
"""

from __future__ import annotations

from .steps import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from typing import Any

    from .attempts import Attempt
    from .function import TracedFunction


def traced(
    function: TracedFunction, attempt: Attempt, generator: Generator[Any, Any, Any]
) -> Generator[Any, Any, Any]:
    """The same generator; the attempt ends as it does."""
    step: Callable[..., Any] = generator.send
    given: tuple[Any, ...] = (None,)
    while True:
        before = function.enter(attempt)
        try:
            value = step(*given)
        except StopIteration as stop:
            function.succeeded(attempt)
            return stop.value
        except BaseException as error:
            function.failed(attempt, error)
            raise
        finally:
            function.leave(before)
        try:
            given = ((yield value),)
            step = generator.send
        except GeneratorExit:
            _close(function, attempt, generator)
            raise
        except BaseException as error:
            step, given = generator.throw, (error,)


def _close(function: TracedFunction, attempt: Attempt, generator: Generator[Any, Any, Any]) -> None:
    """Nobody wants the rest: that is an end, and no failure."""
    before = function.enter(attempt)
    try:
        generator.close()
    except BaseException as error:
        function.failed(attempt, error)
        raise
    finally:
        function.leave(before)
    function.succeeded(attempt)


async def traced_async(
    function: TracedFunction, attempt: Attempt, generator: AsyncGenerator[Any, Any]
) -> AsyncGenerator[Any, Any]:
    """The same generator; the attempt ends as it does."""
    step: Awaitable[Any] = generator.asend(None)
    while True:
        try:
            value = await Steps(function, attempt, step, is_whole=False)
        except StopAsyncIteration:
            function.succeeded(attempt)
            return
        except BaseException as error:
            function.failed(attempt, error)
            raise
        try:
            step = generator.asend((yield value))
        except GeneratorExit:
            await Steps(function, attempt, generator.aclose(), is_whole=False)
            function.succeeded(attempt)
            raise
        except BaseException as error:
            step = generator.athrow(error)
