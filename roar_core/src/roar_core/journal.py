"""The trace journal: the file in which tracers report and from which roar reads.

roar alone creates the file and grows it, and only with blocks that are really allocated: a store
into a hole on a full disk kills the program that makes it. `Journal` is roar's side of a journal in
use; `open_existing` reads one whose roar has died. The bytes are `journal_format`'s business, the
file is `journal_file`'s; the names a tracer needs are all here. docs/journal.md specifies it.
"""

from __future__ import annotations

import mmap
import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock

from roar_core import futex, journal_file
from roar_core.journal_file import RecoveredJournal as RecoveredJournal
from roar_core.journal_file import hand_over as hand_over
from roar_core.journal_file import open_existing as open_existing
from roar_core.journal_file import private_directories as private_directories
from roar_core.journal_format import (
    ALLOCATED_OFFSET,
    CHUNK,
    DOORBELL_OFFSET,
    LOST_OFFSET,
    MAX_CHUNKS,
    PROBE_LIMIT,
    READER_ALIVE_OFFSET,
    SLOT_PREIMAGE_OFFSET,
    SLOT_SIZE,
    TAIL_OFFSET,
    decode_records,
    decode_run,
    encode_record,
    find_record,
    hole_size,
    slot_key,
)
from roar_core.journal_format import PREIMAGE_DONE as PREIMAGE_DONE
from roar_core.journal_format import PREIMAGE_NEVER as PREIMAGE_NEVER
from roar_core.journal_format import PREIMAGE_NONE as PREIMAGE_NONE
from roar_core.journal_format import GapCode as GapCode
from roar_core.journal_format import Intent as Intent
from roar_core.journal_format import Kind as Kind
from roar_core.journal_format import Record as Record
from roar_core.journal_format import RenameFlag as RenameFlag
from roar_core.journal_format import SlotState as SlotState
from roar_core.journal_format import TaskEvent as TaskEvent
from roar_core.model.fingerprint import Fingerprint

GROW_BELOW = 8 << 20
HOLE_SETTLES_NS = 100_000_000


class Journal:
    """A journal in use: one thread may follow it while another appends, marks or grows.

    `path` is where the file lies: not where it was wanted when that file system cannot allocate
    blocks or share a mapping; then a pointer stands at `wanted`. `growth_stopped` is the reason why
    it will not grow further, or None.
    """

    def __init__(self, fd: int, path: str, wanted: str) -> None:
        self.path = path
        self.wanted = wanted
        self.growth_stopped: str | None = None
        self.header = journal_file.read_header(fd, path)
        self._fd = fd
        # Header and table only: records are copied by pread(2), which is coherent with the writers'
        # mappings and cannot raise SIGBUS here.
        self._memory = mmap.mmap(fd, self.header.records_offset)
        self._words = memoryview(self._memory).cast("Q")
        self._halves = memoryview(self._memory).cast("I")
        # Ours alone to say: the words of the header can be written by every process of the run.
        self._allocated = min(self._words[ALLOCATED_OFFSET // 8], MAX_CHUNKS * CHUNK)
        self._lock = Lock()
        self._own: list[Record] = []
        self._own_position = self.header.records_offset
        self._own_end = self._position = self._tail_seen = self._words[TAIL_OFFSET // 8]
        self._tails: deque[tuple[int, int]] = deque()
        self._settled = 0
        self._holes: list[tuple[int, int]] = []
        self._unreadable_bytes = 0
        self._doorbell_seen = 0

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        run_uid_hex: str,
        *,
        table_slots: int = 65536,
        preimage_wait_ms: int = 200,
        private_dirs: Sequence[str] = ("/dev/shm",),  # noqa: S108 - the last resort, made 0700
        room_bytes: int = CHUNK,
        successor: bytes = b"",
    ) -> Journal:
        """Make a journal of `room_bytes` (whole pages, at most a chunk) that nobody else can read.

        `private_dirs` are tried in order when the file system of `path` will not do. `successor` is
        the program that goes on where the tracer cannot enter; a path of 1 KiB is too long to tell.
        Raises JournalError when there is no room or no right; nothing is left behind.
        """
        wanted = os.fspath(path)
        fd, actual = journal_file.create(
            wanted,
            bytes.fromhex(run_uid_hex),
            table_slots=table_slots,
            preimage_wait_ms=preimage_wait_ms,
            private_dirs=private_dirs,
            room_bytes=room_bytes,
            successor=successor,
        )
        return cls(fd, actual, wanted)

    @property
    def lost(self) -> int:
        """Records for which writers found no room."""
        return self._words[LOST_OFFSET // 8]

    @property
    def unreadable_bytes(self) -> int:
        """Bytes given up: reserved by writers that died, or damaged; exact after `finish`."""
        return self._unreadable_bytes

    @property
    def allocated(self) -> int:
        """Bytes of the file that have blocks."""
        return self._allocated

    def read(self) -> list[Record]:
        """Return what was committed since the last call, in file order.

        Stops before room that was reserved less than 100 ms ago and is not yet filled; what
        fills up later than that is returned by `finish`.
        """
        with self._lock:
            tail = self._tail()
            now = time.monotonic_ns()
            if not self._tails or self._tails[-1][1] != tail:
                self._tails.append((now, tail))
            while self._tails and self._tails[0][0] <= now - HOLE_SETTLES_NS:
                self._settled = self._tails.popleft()[1]
            return self._advance(tail)

    @property
    def is_held_up(self) -> bool:
        """Whether `read` stands before room that is reserved and not filled yet."""
        with self._lock:
            return self._position < self._tail()

    def finish(self) -> list[Record]:
        """Return all the rest, first what filled up late; call it when the writers have ended."""
        with self._lock:
            tail = self._settled = self._tail()
            rest = self._advance(tail)
            late: list[Record] = []
            self._unreadable_bytes = 0
            for start, end in self._holes:
                data = os.pread(self._fd, end - start, start)
                found, behind, unreadable = decode_records(data, 0, len(data), base=start)
                late += found
                self._unreadable_bytes += unreadable + hole_size(start + behind, end)
            self._holes.clear()
            return late + rest

    def grow_if_needed(self) -> bool:
        """Allocate the next chunk when less than 8 MiB remain; return whether it did.

        On a full disk it stops for good and `growth_stopped` says so; writers count what is lost.
        """
        with self._lock:
            allocated = self.allocated
            if self.growth_stopped or allocated - self._tail() >= GROW_BELOW:
                return False
            target = (allocated // CHUNK + 1) * CHUNK
            if target > MAX_CHUNKS * CHUNK:
                self.growth_stopped = f"it has reached {MAX_CHUNKS * CHUNK >> 20} MiB"
                return False
            try:
                os.posix_fallocate(self._fd, allocated, target - allocated)
            except OSError as error:
                self.growth_stopped = error.strerror or "no room"
                return False
            self._allocated = self._words[ALLOCATED_OFFSET // 8] = target
        self.ring()
        return True

    def wait(self, timeout_s: float) -> bool:
        """Sleep until a writer rings, at most `timeout_s`; return whether anybody has rung."""
        seen = self._doorbell_seen
        if self._halves[DOORBELL_OFFSET // 4] == seen:
            futex.wait_while(self._memory, DOORBELL_OFFSET, seen, timeout_s)
        self._doorbell_seen = self._halves[DOORBELL_OFFSET // 4]
        return self._doorbell_seen != seen

    def ring(self) -> None:
        """Wake whoever waits on the doorbell: writers for room, or our own thread in `wait`."""
        # Not atomic: a writer's ring may be swallowed by ours, but the number differs either way.
        index = DOORBELL_OFFSET // 4
        self._halves[index] = (self._halves[index] + 1) & 0xFFFFFFFF
        futex.wake_all(self._memory, DOORBELL_OFFSET)

    def _may_be_waited_for(self) -> bool:
        """Whether anybody has ever rung: no writer waits, for room or a digest, before it has."""
        return self._halves[DOORBELL_OFFSET // 4] != 0

    def mark_preimage(self, fingerprint: Fingerprint, state: int) -> bool:
        """Tell those who wait for the digest of this inode; return whether its slot was found.

        After `stop_reading` nobody waits, and nothing is done.
        """
        slots = self.header.table_slots
        if not slots or not self._halves[READER_ALIVE_OFFSET // 4]:
            return False
        key = slot_key(fingerprint.dev, fingerprint.ino)
        for probe in range(min(PROBE_LIMIT, slots)):
            at = self.header.table_offset + ((key + probe) & (slots - 1)) * SLOT_SIZE
            found = self._words[at // 8]
            if found == key:
                self._halves[(at + SLOT_PREIMAGE_OFFSET) // 4] = state
                if self._may_be_waited_for():
                    futex.wake_all(self._memory, at + SLOT_PREIMAGE_OFFSET)
                return True
            if not found:
                return False
        return False

    def append(
        self,
        kind: int,
        *,
        value: int = 0,
        fingerprints: Sequence[Fingerprint] = (),
        strings: Sequence[bytes] = (),
        pid: int = 0,
    ) -> bool:
        """Write a record of roar's own (LOST, GAP); it also comes out of the next `read`.

        It goes into a room before the writers', since this language has no atomic add for the tail.
        Returns False when that room is full: the record is still read, but would not outlive us.
        """
        with self._lock:
            at = self._own_position
            record = encode_record(
                at,
                kind,
                pid=pid or os.getpid(),
                time_ns=time.monotonic_ns(),
                value=value,
                fingerprints=fingerprints,
                strings=strings,
            )
            decode_run(record, 0, len(record), at, self._own)
            rest = self._own_end - at - len(record)
            if rest < 64:
                return False
            pad = encode_record(at + len(record), Kind.PAD, pid=os.getpid(), size=rest)
            os.pwrite(self._fd, record + pad[:64], at)
            self._own_position = at + len(record)
            return True

    def stop_reading(self) -> None:
        """Tell writers to wait for nothing any more, and wake those who wait for room."""
        self._halves[READER_ALIVE_OFFSET // 4] = 0
        if self._may_be_waited_for():
            self.ring()

    def close(self) -> None:
        """Let go of the file; the following thread must have ended. May be called twice."""
        if self._fd < 0:
            return
        self._words.release()
        self._halves.release()
        # Ctrl-C leaves a wait in the midst, which holds a word of it until it is forgotten, too.
        with suppress(BufferError):
            self._memory.close()
        os.close(self._fd)
        self._fd = -1

    def remove(self) -> None:
        """Close, and delete the file, its private directory and its pointer, where still there."""
        self.close()
        journal_file.remove(self.wanted, self.path)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _tail(self) -> int:
        """Where reserved room ends: what the writers say, but never back nor beyond the blocks."""
        told = min(self._words[TAIL_OFFSET // 8], self.allocated) & ~7
        self._tail_seen = max(self._tail_seen, told)
        return self._tail_seen

    def _advance(self, tail: int) -> list[Record]:
        records, self._own = self._own, []
        while self._position < tail:
            start = self._position
            end = min(tail, (start // CHUNK + 1) * CHUNK)
            data = os.pread(self._fd, end - start, start)
            behind = self._decode_committed(data, start, records)
            if start + behind < end:
                found = find_record(data, behind, len(data), start)
                after = end if found is None else start + found
                self._position = start + behind
                hole = hole_size(self._position, after)
                if hole and after > self._settled:
                    break
                if hole:
                    self._holes.append((self._position, after))
                    self._unreadable_bytes += hole
                self._position = after
            else:
                self._position = end
        return records

    def _decode_committed(self, data: bytes, base: int, records: list[Record]) -> int:
        before = len(records)
        behind = decode_run(data, 0, len(data), base, records)
        # Machines that reorder loads may have copied a body before its magic; a second copy, made
        # after every magic was seen, holds what the writers stored before it.
        again = os.pread(self._fd, behind, base)
        if again != data[:behind]:
            del records[before:]
            behind = decode_run(again, 0, behind, base, records)
        return behind
