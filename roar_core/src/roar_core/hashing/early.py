"""Digests of what a command reads, taken while it runs and before it can change them.

Ordinary offers go to a process at idle priority. An urgent one, for which a writer is being held,
is hashed here at once: the time it takes is the writer's own.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Mapping, Sequence

from roar_core.errors import DatabaseError
from roar_core.hashing.digests import Digested, check_algorithms, digest_file
from roar_core.hashing.failures import HashError
from roar_core.hashing.idle_client import PATH_BYTES_MAX, IdleProcess
from roar_core.hashing.offers import Offers
from roar_core.model.fingerprint import Fingerprint

PREIMAGE_MAX_BYTES = 64 << 20
PENDING_MAX = 65_536
# Only a read that hangs (a dead NFS server) makes `stop` wait for as long as this.
_STOP_TIMEOUT_S = 1.0


class _StoppedError(Exception):
    """`stop` was called in the middle of a file."""


class EarlyHasher:
    """Hashes versions of files as they are offered; every version is answered through `on_done`.

    `on_done(fingerprint, ok)` is called in the hasher's thread, or within `offer` and `stop` for
    what is answered there; `ok` says that `lookup` has the digests of exactly that version. `known`
    asks the stat cache first, in the hasher's thread.

    `writers_are_held`: the tracer lets no process of the run change a file before its offer is
    answered. Without that, a file that had changed less than a clock's grain before it was hashed
    is refused: its times could not tell two versions apart.
    """

    def __init__(
        self,
        on_done: Callable[[Fingerprint, bool], None],
        *,
        known: Callable[[Fingerprint], Mapping[str, str] | None] | None = None,
        algorithms: Sequence[str] = ("blake3",),
        max_bytes: int = PREIMAGE_MAX_BYTES,
        max_pending: int = PENDING_MAX,
        writers_are_held: bool = True,
    ) -> None:
        self._algorithms = check_algorithms(algorithms)
        self._known = known
        self._max_bytes = max_bytes
        self._writers_are_held = writers_are_held
        self._offers = Offers(on_done, max_pending)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._ended = threading.Event()
        # The thread's own.
        self._idle: IdleProcess | None = None
        self._idle_lost = False

    def offer(self, path: str, fingerprint: Fingerprint, urgent: bool = False) -> None:
        """Hash that version of `path` if it is still there; returns at once.

        `urgent` goes before everything else, also when the same version was offered before.
        Refused at once: what is larger than `max_bytes`, not regular, or comes when `max_pending`
        versions wait.
        """
        wanted = (
            fingerprint.is_regular
            and fingerprint.size <= self._max_bytes
            and len(os.fsencode(path)) < PATH_BYTES_MAX
            and self._has_thread()
        )
        self._offers.add(path, fingerprint, urgent=urgent, wanted=wanted)

    def hurry(self) -> None:
        """Some writer is being held, for whichever file: hash all that waits now, newest first."""
        self._offers.hurry()

    def lookup(self, fingerprint: Fingerprint) -> dict[str, str] | None:
        """Digests of exactly that version, by algorithm, or None when there are none (yet)."""
        digested = self._offers.known(fingerprint)
        return None if digested is None else digested.digests

    def finished(self) -> list[Digested]:
        """What was read and had settled, for the stat cache to remember."""
        return [digested for digested in self._offers.all_known() if digested.is_settled]

    def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until every offer is answered; False when `timeout_s` was not enough."""
        return self._offers.wait_answered(timeout_s)

    def stop(self) -> None:
        """Refuse what is waiting and end within 50 ms, unless a read hangs. May be called twice."""
        with self._starting:
            if self._stopped:
                return
            self._stopped = True
            if self._thread is None:
                self._offers.close()
                return
        self._offers.ring()
        # Not for the thread: it goes on to reap the idle process, which a busy machine takes its
        # time to let die.
        if not self._ended.wait(_STOP_TIMEOUT_S):
            self._offers.refuse_all()

    def _has_thread(self) -> bool:
        with self._starting:
            if self._thread is None and not self._stopped:
                thread = threading.Thread(target=self._run, name="roar-early", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # a limit on processes: no early digests
                    return False
                self._thread = thread
        return not self._stopped

    # --- in the hasher's thread ---

    def _run(self) -> None:
        try:
            while not self._stopped:
                self._hash_urgent()
                self._keep_idle_process_busy()
                self._wait()
        finally:
            # Whatever ends this thread, no writer may wait for an answer that will not come.
            self._offers.close()
            if self._idle is not None:
                self._idle.kill()
            self._ended.set()
            if self._idle is not None:
                self._idle.reap()

    def _hash_urgent(self) -> None:
        while not self._stopped and (offered := self._offers.next_urgent()):
            path, fingerprint = offered
            if self._answer_from_cache(fingerprint):
                continue
            try:
                digested = digest_file(
                    path, self._algorithms, expected=fingerprint, threads=1, advance=self._advance
                )
            except (HashError, _StoppedError):
                self._answer(fingerprint, None)
            else:
                self._answer(fingerprint, digested)

    def _advance(self, _count_bytes: int) -> None:
        if self._stopped:
            raise _StoppedError

    def _keep_idle_process_busy(self) -> None:
        while not self._stopped and not self._offers.has_urgent:
            if self._idle is not None and not self._idle.has_room:
                return
            offered = self._offers.next_ordinary()
            if offered is None:
                return
            path, fingerprint = offered
            if self._answer_from_cache(fingerprint):
                continue
            try:
                self._idle_process().ask(path, fingerprint)
            except OSError:
                self._lose_idle_process()
                self._answer(fingerprint, None)

    def _idle_process(self) -> IdleProcess:
        if self._idle_lost:
            raise BrokenPipeError
        if self._idle is None:
            self._idle = IdleProcess(self._algorithms)
        return self._idle

    def _lose_idle_process(self) -> None:
        self._idle_lost = True
        if self._idle is not None:
            for fingerprint in self._idle.unanswered():
                self._answer(fingerprint, None)
            self._idle.kill()
            self._idle.reap()
            self._idle = None

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._offers.bell, select.POLLIN)
        if self._idle is not None:
            poll.register(self._idle.answers, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if self._offers.bell in ready:
            os.eventfd_read(self._offers.bell)
        if self._idle is not None and self._idle.answers in ready:
            try:
                answers = self._idle.take_answers()
            except EOFError:
                self._lose_idle_process()
            else:
                for asked, digested in answers:
                    self._answer(asked, digested)

    def _answer_from_cache(self, fingerprint: Fingerprint) -> bool:
        try:
            digests = dict((self._known and self._known(fingerprint)) or {})
        except DatabaseError:  # too busy to ask: then the file is read
            return False
        if not all(name in digests for name in self._algorithms):
            return False
        self._offers.answer(fingerprint, Digested(fingerprint, digests, 0))
        return True

    def _answer(self, fingerprint: Fingerprint, digested: Digested | None) -> None:
        if digested is not None and not (self._writers_are_held or digested.is_settled):
            digested = None
        self._offers.answer(fingerprint, digested)
