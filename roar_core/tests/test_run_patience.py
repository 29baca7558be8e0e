"""What a plugin gives is taken as it comes: not much is held, and nobody goes on for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from roar_core.discovery import PluginRef
from roar_core.run.patience import each_within
from roar_core.testing.processes import wait_for

REF = PluginRef("backend", "many", "x:y", "roar-many", "0", "roar.backends")


class Giving:
    """Gives numbers, and knows how many it was asked for."""

    def __init__(self) -> None:
        self.given = 0
        self.thread: threading.Thread | None = None

    def each(self) -> Iterator[int]:
        self.thread = threading.current_thread()
        while True:
            self.given += 1
            yield self.given


def test_a_plugin_gives_little_more_than_was_taken_and_ends_when_nobody_takes() -> None:
    giving = Giving()
    taken = each_within(60, frozenset(), REF, "giving", giving.each)
    assert [next(taken) for _ in range(10)] == list(range(1, 11))
    wait_for(lambda: giving.given > 1000)
    assert giving.given < 1020
    taken.close()  # type: ignore[attr-defined]
    assert giving.thread is not None
    giving.thread.join(60)
    assert not giving.thread.is_alive()
