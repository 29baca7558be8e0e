"""What was offered to the early hasher, what waits, and what is known: shared by its threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

from roar_core.hashing.cache import FingerprintKey, key_of
from roar_core.hashing.digests import Digested
from roar_core.model.fingerprint import Fingerprint


class Offers:
    """Versions of files that wait for a digest, and the digests of those that have one.

    Every version is answered once through `on_done`, always outside the lock. `bell` is a
    descriptor that is readable when something new waits or `ring` was called.
    """

    def __init__(self, on_done: Callable[[Fingerprint, bool], None], max_waiting: int) -> None:
        self.bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._on_done = on_done
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._digests: dict[FingerprintKey, Digested] = {}
        self._waiting: dict[FingerprintKey, tuple[str, Fingerprint]] = {}
        self._queue: deque[FingerprintKey] = deque()
        self._urgent: deque[FingerprintKey] = deque()
        self._answering = 0
        self._closed = False

    def add(self, path: str, fingerprint: Fingerprint, *, urgent: bool, wanted: bool) -> None:
        """Let a version wait, or answer at once when it is known, not wanted, or too many wait."""
        key = key_of(fingerprint)
        with self._changed:
            known = key in self._digests
            waits = key in self._waiting
            full = len(self._waiting) >= self._max_waiting
            refused = self._closed or not (waits or (wanted and not full))
            if not known and not refused:
                self._waiting.setdefault(key, (path, fingerprint))
                if urgent:
                    self._urgent.append(key)
                elif not waits:
                    self._queue.append(key)
                os.eventfd_write(self.bell, 1)
        if known or refused:
            self._on_done(fingerprint, known)

    def hurry(self) -> None:
        """Make all that waits urgent, the newest first."""
        with self._changed:
            if self._waiting and not self._closed:
                self._urgent.extend(reversed(self._waiting))
                os.eventfd_write(self.bell, 1)

    def ring(self) -> None:
        """Wake whoever polls `bell`."""
        with self._changed:
            if not self._closed:
                os.eventfd_write(self.bell, 1)

    @property
    def has_urgent(self) -> bool:
        """Whether something urgent waits."""
        return bool(self._urgent)

    def next_urgent(self) -> tuple[str, Fingerprint] | None:
        """Take the next urgent version that is not answered yet."""
        return self._next(self._urgent)

    def next_ordinary(self) -> tuple[str, Fingerprint] | None:
        """Take the next version offered that is not answered yet."""
        return self._next(self._queue)

    def _next(self, keys: deque[FingerprintKey]) -> tuple[str, Fingerprint] | None:
        with self._changed:
            while keys:
                if found := self._waiting.get(keys.popleft()):
                    return found
        return None

    def answer(self, fingerprint: Fingerprint, digested: Digested | None) -> None:
        """Answer a version, unless that has been done: one that grew urgent is hashed twice."""
        key = key_of(fingerprint)
        with self._changed:
            if self._waiting.pop(key, None) is None:
                return
            if digested is not None:
                self._digests[key] = digested
            self._answering += 1
        self._on_done(fingerprint, digested is not None)
        with self._changed:
            self._answering -= 1
            self._changed.notify_all()

    def refuse_all(self) -> None:
        """Answer everything that waits with no."""
        with self._changed:
            waiting = [fingerprint for _, fingerprint in self._waiting.values()]
            self._waiting.clear()
            self._answering += 1
        for fingerprint in waiting:
            self._on_done(fingerprint, False)
        with self._changed:
            self._answering -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Accept nothing any more and refuse what waits; digests stay known. For good, and once."""
        with self._changed:
            self._closed = True
            os.close(self.bell)
        self.refuse_all()

    def wait_answered(self, timeout_s: float | None) -> bool:
        """Wait until nothing waits; False when that took longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and not self._answering, timeout_s
            )

    def known(self, fingerprint: Fingerprint) -> Digested | None:
        """The digests of exactly that version, or None."""
        with self._changed:
            return self._digests.get(key_of(fingerprint))

    def all_known(self) -> list[Digested]:
        """Every version that has digests."""
        with self._changed:
            return list(self._digests.values())
