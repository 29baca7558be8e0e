"""The agent's one thread: it keeps room in the journal, and does whatever else comes round.

It is a daemon: it keeps no worker alive. A forked child has none.
"""

from __future__ import annotations

import threading

from . import tags
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# How long after its call a change of files is found out where only the interpreter observes, and
# for how long a burst of records has to make do with the room there is.
PERIOD_S = 0.1


class Keeper:
    """Calls its chores every so often until the process ends."""

    def __init__(self, *chores: Callable[[], None]) -> None:
        self._chores = chores
        self._rests = threading.Event()
        threading.Thread(target=self._keep, name="roar-ray", daemon=True).start()

    def _keep(self) -> None:
        # What this thread does is nobody's task.
        tags.of_nobody()
        while not self._rests.wait(PERIOD_S):
            for chore in self._chores:
                try:
                    chore()
                except Exception as error:
                    told(f"keeper {getattr(chore, '__qualname__', chore)}", error)
