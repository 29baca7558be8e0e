"""Call what a plugin offers, and go on without it when it does not answer.

The call is made in a thread, which is left behind when it hangs: a process cannot be rid of a
thread, but it can end with one.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from roar_core.discovery import PluginRef
from roar_core.errors import PluginError
from roar_core.plugins import call_object

# Enough for who takes to have something to do while who gives does, too.
_AHEAD = 1000

T = TypeVar("T")

Signals = frozenset[signal.Signals]


def call_within(
    patience_s: float,
    blocked: Signals,
    ref: PluginRef,
    doing: str,
    function: Callable[..., T],
    *arguments: Any,
) -> T:
    """`call_object`, for at most `patience_s`; raises PluginError when it fails or takes longer.

    `blocked` are the signals that the thread, and what it starts, must not receive.
    """
    [answer] = each_within(patience_s, blocked, ref, doing, lambda: [function(*arguments)])
    return answer


def each_within(
    patience_s: float,
    blocked: Signals,
    ref: PluginRef,
    doing: str,
    function: Callable[[], Iterable[T]],
) -> Iterator[T]:
    """Yield what `function` gives, waiting for each item at most `patience_s`.

    It is asked for a little more than was taken, so that of a hundred thousand few are held.
    """
    answers: SimpleQueue[tuple[T] | PluginError | None] = SimpleQueue()
    room, is_left = threading.Semaphore(_AHEAD), threading.Event()

    def put_each() -> None:
        for answer in function():
            room.acquire()
            if is_left.is_set():
                return
            answers.put((answer,))

    def work() -> None:
        try:
            call_object(ref, doing, put_each)
            answers.put(None)
        except PluginError as error:
            answers.put(error)

    # A thread has the mask of the one that makes it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    threading.Thread(target=work, name=f"roar-{ref.name}", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        while True:
            try:
                answer = answers.get(timeout=patience_s)
            except Empty:
                reason = f"it did not answer within {patience_s:g} s"
                raise PluginError(ref.distribution, doing, reason) from None
            if answer is None:
                return
            if isinstance(answer, PluginError):
                raise answer
            yield answer[0]
            room.release()
    finally:
        # Whoever takes no more lets the thread end.
        is_left.set()
        room.release()
