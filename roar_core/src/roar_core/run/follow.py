"""Follow the journal while the command runs: keep it growing, and hash inputs before they change.

One thread reads what the tracers report, every few milliseconds or at once when a writer rings.
What the tree opened for reading goes to the early hasher (design rule 4); what it will never need a
digest of is marked so, lest a writer wait for nothing.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable

from roar_core.hashing.early import EarlyHasher
from roar_core.journal import PREIMAGE_DONE, PREIMAGE_NEVER, Intent, Journal, Kind, Record
from roar_core.model.fingerprint import Fingerprint
from roar_core.project import Project
from roar_core.run.processes import ProcessTree

# The first looks are short, so that a command of milliseconds is not kept waiting for its record.
_SHORTEST_S = 0.002
_LONGEST_S = 0.05
# Listening for the doorbell takes an import of 8 ms: a command as short as this is looked after by
# looking often.
_YOUNG_S = 0.1
# How long a hole in the journal is waited for. A read passes over it after a tenth of a second;
# more is for whoever makes new ones all the time.
_HELD_UP_S = 1.0

_NEVER_INPUTS = ("/usr/", "/lib", "/bin/", "/sbin/", "/proc/", "/sys/", "/dev/", "/etc/", "/run/")

# Plain integers: an IntFlag operation costs a microsecond, and there are 10^5 opens.
_READ, _CODE = int(Intent.READ), int(Intent.CODE)
_EMPTIED = int(Intent.CREATED | Intent.TMPFILE | Intent.TRUNCATE)

Wants = Callable[[str], bool]
Watch = Callable[[list[Record]], None]


def nobody_watches(_: list[Record]) -> None:
    """Who wants to be told of records while the command runs, in most runs."""


class Follower:
    """Reads one journal to its end. `records` is complete after `finish`.

    `wants(path)` says whether the file at `path` may become an input, so that its digest is worth
    having before the tree changes it. `watch` is told of all that is read, as soon as it is.
    """

    def __init__(
        self,
        journal: Journal,
        hasher: EarlyHasher,
        wants: Wants,
        watch: Watch = nobody_watches,
    ) -> None:
        self.records: list[Record] = []
        self._journal = journal
        self._hasher = hasher
        self._wants = wants
        self._watch = watch
        self._tree = ProcessTree()
        self._made: set[tuple[int, ...]] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listens = False
        self._thread = threading.Thread(target=self._follow, name="roar-follow", daemon=True)
        self._thread.start()

    def survivors(self, since_s: float) -> list[int]:
        """Processes of the tree that are alive now; `since_s` is when the run began, since boot."""
        until = time.monotonic() + _HELD_UP_S
        while True:
            self._read()
            with self._lock:
                left = self._tree.survivors(since_s)
            if left:
                return left
            # One that ended between the two looks may have started another one before.
            if self._read():
                continue
            # A writer that was killed in the middle of a record hides for a moment what others
            # have told since.
            if not self._journal.is_held_up or time.monotonic() > until:
                return left
            time.sleep(_SHORTEST_S)

    def stop(self) -> None:
        """Stop following; what is not taken by now stays in the journal. May be called twice."""
        self._stopping.set()
        if self._listens and self._thread.is_alive():
            self._journal.ring()
        self._thread.join()

    def finish(self) -> list[Record]:
        """Stop following and return every record of the run, in order."""
        self.stop()
        self._journal.stop_reading()
        self._offer_all(self._keep(self._journal.finish()))
        return self.records

    def _follow(self) -> None:
        pause = _SHORTEST_S
        young_until = time.monotonic() + _YOUNG_S
        while not self._stopping.is_set():
            self._journal.grow_if_needed()
            found = self._read()
            pause = _SHORTEST_S if found else min(pause * 2, _LONGEST_S)
            if time.monotonic() < young_until:
                self._stopping.wait(_SHORTEST_S)
            else:
                self._listens = True
                if self._journal.wait(pause):
                    # A writer may be held for a digest: what it read is reported, and must not
                    # idle.
                    self._read()
                    self._hasher.hurry()

    def _read(self) -> int:
        """Take what is new in the journal; return how many records that was."""
        # One step: what one thread has read and not yet taken, the other would miss, and with it
        # a process that is still to write.
        with self._lock:
            found = self._keep(self._journal.read())
        self._offer_all(found)
        return len(found)

    def _keep(self, found: list[Record]) -> list[Record]:
        self.records.extend(found)
        self._watch(found)
        self._tree.take(found)
        return found

    def _offer_all(self, found: list[Record]) -> None:
        for record in found:
            if record.kind == Kind.OPEN:
                self._offer(record)
            elif record.kind == Kind.UNLINK and record.fingerprints:
                # Its number may be another file's next.
                self._made.discard(record.fingerprints[0][:2])

    def _offer(self, record: Record) -> None:
        intent, after = record.value, record.fingerprints[0]
        if intent & _EMPTIED:
            self._made.add(after[:2])
            return
        if not intent & _READ or after[:2] in self._made:
            return  # the tree's own bytes are no input, and nobody is held for them
        if not stat.S_ISREG(after.mode):
            return
        path = os.fsdecode(record.strings[0])
        if intent & _CODE or not self._wants(path):
            self._journal.mark_preimage(after, PREIMAGE_NEVER)
        else:
            self._hasher.offer(path, after)


def mark_hashed(journal: Journal) -> Callable[[Fingerprint, bool], None]:
    """What the early hasher calls when it has, or will never have, a digest."""

    def done(fingerprint: Fingerprint, has_digest: bool) -> None:
        state = PREIMAGE_DONE if has_digest else PREIMAGE_NEVER
        journal.mark_preimage(fingerprint, state)

    return done


def input_candidates(project: Project) -> Callable[[str], bool]:
    """A quick test, made while the command runs: is the digest of this file worth having early?

    It may err towards yes; the filters judge later. A project may live below a system directory.
    """
    inside = f"{project.root}/"
    own = f"{project.roar_dir}/"

    def wants(path: str) -> bool:
        if path.startswith(inside):
            return not path.startswith(own) and "/site-packages/" not in path
        return not path.startswith(_NEVER_INPUTS) and "/site-packages/" not in path

    return wants
