"""Wait for an answer no longer than one may.

Of a registry that hangs, sends a byte at a time or cannot be found, a task must not notice more
than the time it was told. No timeout of sockets covers all of that: the asking is done in a thread,
which is left behind when the time is up.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from roar_core.errors import RoarError, UnreachableError

# What ends a process that has not asked for anything else.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Asking(Generic[T]):
    """`ask` called in a thread; what it gives or raises is for who waits for it."""

    def __init__(self, url: str, ask: Callable[[], T]) -> None:
        self._url = url
        self._ask = ask
        self._given: list[T] = []
        self._raised: Exception | None = None
        self._is_given_up = False
        self._is_over = threading.Event()
        # A process may end without waiting for such a thread.
        threading.Thread(target=self._work, name="roar-asking", daemon=True).start()

    def give_up(self) -> None:
        """Have who waits wait no longer."""
        self._is_given_up = True
        self._is_over.set()

    def answer(self, limit_s: float) -> T:
        """What `ask` gave; raises what it raised, and UnreachableError without an answer in time.

        A defect of ours there is an UnreachableError, too: who waits has better things to do.
        """
        self._is_over.wait(limit_s)
        if self._raised is not None:
            raise self._raised
        if not self._given:
            words = "was told to end" if self._is_given_up else f"had waited for {limit_s:.3g} s"
            raise UnreachableError(f"{self._url} had not answered when this process {words}")
        return self._given[0]

    def _work(self) -> None:
        try:
            self._given.append(self._ask())
        except (RoarError, ValueError, OSError) as error:
            self._raised = error
        except Exception as error:
            _log.debug("asking failed", exc_info=True)
            self._raised = UnreachableError(f"{self._url} could not be asked: {error!r}")
        finally:
            self._is_over.set()


@contextmanager
def signals_held() -> Iterator[None]:
    """What would end this process only hurries what it waits for: how it ends is settled."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        while signal.sigtimedwait(_SIGNALS, 0) is not None:
            continue
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def hurried_by_signals(asking: Asking[Any]) -> Iterator[None]:
    """What would end this process ends the waiting, also when it came a moment ago and was held."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, lambda *_: asking.give_up()) for each in ours}
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
