"""Ctrl-C after the command has ended: one may cut the recording short, none is how roar ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OneInterrupt:
    """Takes SIGINT from when it is made, in the main thread; the second one finds it ignored.

    Make it while SIGINT is blocked. Where interrupts are ignored already, they stay so.
    """

    def __init__(self) -> None:
        self._came = False
        self._may_raise = False
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._take)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """A block that one interrupt may end, with KeyboardInterrupt, also one that came before."""
        if self._came:
            raise KeyboardInterrupt
        self._may_raise = True
        try:
            yield
        finally:
            self._may_raise = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._came = True
        if self._may_raise:
            raise KeyboardInterrupt
