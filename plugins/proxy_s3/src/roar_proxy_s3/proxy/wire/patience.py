"""How long a client is waited for that has no request under way.

What it asked for has no deadline here: a slow upload or download is the client's and the store's
affair, and S3 ends those that stand still (RequestTimeout). Who has asked for nothing yet may be
anybody on the machine, and must not hold what the command's own clients need.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple


class Patience(NamedTuple):
    """`between_s`: until a request begins. `head_s`: from its first byte to the end of its head,
    and until refusals are read by a client that has had many.

    The first is longer than clients keep a connection without use (90 s in Go and hyper, 118 s in
    libcurl), so that it is they who close it and none asks at the moment in which we do. The second
    is nginx's; a head is one write of every client.
    """

    between_s: float = 180.0
    head_s: float = 60.0


PATIENCE = Patience()


class Deadline:
    """Calls `over` once a time that was set has passed.

    To set one and to lift it costs no timer, since that is done for each request: the timer of an
    earlier one looks, when it fires, whether it is time.
    """

    def __init__(self, over: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = over
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """From now on, so long."""
        self._due = due = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > due:
            self.end()
            self._due, self._timer = due, self._loop.call_at(due, self._look)

    def lift(self) -> None:
        """There is none, until one is set."""
        self._due = None

    def end(self) -> None:
        """There is none, and nothing of it is left in the loop."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._due = None
            self._over()
