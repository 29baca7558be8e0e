"""Collect tasks while the command runs, so that what happened is known before it has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from roar_core.errors import DatabaseError, PluginError
from roar_core.hookspecs import ExecutionBackend
from roar_core.run.backends import Keep, checked_fragments
from roar_core.run.partners import Partner, Shortfall


class LiveCollection:
    """A thread that asks each backend as often as it wants to be asked, until `stop`.

    `make_keep` is called when it asks for the first time.

    One that fails is asked no more before the end: then all is collected again anyway.
    """

    def __init__(
        self, partners: Sequence[Partner], make_keep: Callable[[], Keep], shortfall: Shortfall
    ) -> None:
        self._make_keep = make_keep
        self._keep: Keep | None = None
        self._shortfall = shortfall
        self._stopping = threading.Event()
        start = time.monotonic()
        self._due = {p.name: start + p.offer.value.collect_every_s for p in partners}
        self._partners = {partner.name: partner for partner in partners}
        self._thread = threading.Thread(target=self._work, name="roar-collect", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Collect no more; what is under way is waited for."""
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        while self._due:
            name = min(self._due, key=self._due.__getitem__)
            if self._stopping.wait(max(0.0, self._due[name] - time.monotonic())):
                return
            self._collect(self._partners[name])

    def _collect(self, partner: Partner) -> None:
        backend: ExecutionBackend = partner.offer.value
        try:
            fragments = partner.each("collecting tasks", lambda: checked_fragments(partner))
            self._keep = self._keep or self._make_keep()
            self._keep.merge(partner.name, fragments)
        except PluginError as error:
            self._shortfall.note("backend", error)
            del self._due[partner.name]
        except DatabaseError:
            # Told when the job itself is to be recorded; a thread has nobody to tell it to.
            self._due.clear()
        else:
            self._due[partner.name] = time.monotonic() + backend.collect_every_s
