"""Forks of a worker, where the interpreter observes itself: the child has a journal of its own.

A journal has one such writer. The child tells there, once it has something to tell, for which
attempt it was forked. The library needs none of this: it reports for all processes.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .audit import PythonCapture
    from .journal import Journal


def install(observed: PythonCapture, make: Callable[[], Journal]) -> None:
    """Have forked children report into what `make` makes there."""
    os.register_at_fork(after_in_child=lambda: observed.follow(make))
