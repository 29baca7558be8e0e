"""This process's journal: making it, growing it, and writing into it where no library does."""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import time
from collections import deque

from . import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Written = tuple[int, int, int, int, int, Sequence[os.stat_result], Sequence[bytes]]

# A node has hundreds of workers; most of them report little.
ROOM = 1 << 20
GROW_BELOW = 512 << 10


def _boot_id() -> bytes:
    """What tells the library, in a process that was started elsewhere, that it is elsewhere."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read(36)
    except OSError:
        return b""


class Journal:
    """A journal in use. All its blocks are really there: a store into a hole may be SIGBUS.

    `path` is where it lies, `room` how many bytes it has at first. `about` is what the process says
    of itself: the first record, without which nobody ever sees the journal as one. Raises OSError
    when it cannot be made; nothing is left behind then.
    """

    def __init__(self, path: str, run_uid: str, room: int = ROOM, *, about: bytes = b"") -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self.path = path
        self.pid = os.getpid()
        # Whoever finds it by its name finds a journal, also when this process is killed just now.
        new = f"{path}.new"
        self._fd = os.open(new, flags, 0o600)
        try:
            os.posix_fallocate(self._fd, 0, room)
            first = records.HEADER_SIZE
            pad = records.record(first, records.OWN_ROOM, records.PAD, self.pid, 0, 0, 0)[:64]
            uid, boot = bytes.fromhex(run_uid), _boot_id()
            times = (time.monotonic_ns(), time.time_ns())
            page = records.header(uid, first, room, boot_id=boot, times=times)
            os.pwrite(self._fd, pad, first)
            os.pwrite(self._fd, page[len(records.MAGIC) :], len(records.MAGIC))
            self._page = mmap.mmap(self._fd, records.HEADER_SIZE)
            os.rename(new, path)
        except BaseException:
            os.close(self._fd)
            os.unlink(new)
            raise
        self._words = memoryview(self._page).cast("Q")
        self._chunks: dict[int, mmap.mmap] = {}
        self._waiting: deque[Written] = deque()
        self._lock = threading.Lock()
        self._tags: dict[int, int] = {}
        self._is_full = False
        if about:
            self.write(records.TASK, records.PROCESS, strings=(about,))
        os.pwrite(self._fd, records.MAGIC, 0)

    @property
    def tail(self) -> int:
        """Where the next record will stand."""
        return self._words[records.TAIL // 8]

    def hold(self) -> None:
        """Let it be seen, as long as this process lives, that the journal is in use."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def close(self) -> None:
        """Let go of the file. A worker never does: it reports to its end."""
        self._words.release()
        for mapped in (self._page, *self._chunks.values()):
            mapped.close()
        os.close(self._fd)

    def grow(self) -> None:
        """Give the file more blocks when room runs short; on a full disk it stays as it is."""
        words = self._words
        allocated = words[records.ALLOCATED // 8]
        if allocated - words[records.TAIL // 8] >= GROW_BELOW or self._is_full:
            return
        # Twice the room each time, up to a chunk: a busy process asks seldom.
        room = min(allocated * 2, (allocated // records.CHUNK + 1) * records.CHUNK)
        try:
            os.posix_fallocate(self._fd, allocated, room - allocated)
        except OSError:
            self._is_full = True
            return
        words[records.ALLOCATED // 8] = room
        self._is_full = room >= records.CHUNK * records.MAX_CHUNKS

    def write(
        self,
        kind: int,
        value: int = 0,
        fingerprints: Sequence[os.stat_result] = (),
        strings: Sequence[bytes] = (),
        *,
        tid: int = 0,
        tag: int = 0,
    ) -> None:
        """Write what a thread did for `tag`. Only where this process is the journal's one writer.

        Never waits, for it may be called within itself: from a signal's handler, or a finaliser.
        Whoever holds the lock then writes what has come meanwhile.
        """
        now = time.monotonic_ns()
        self._waiting.append((kind, value, tid or self.pid, tag, now, fingerprints, strings))
        while self._waiting and self._lock.acquire(blocking=False):
            try:
                while self._waiting:
                    self._write(*self._waiting.popleft())
            finally:
                self._lock.release()

    def _write(
        self,
        kind: int,
        value: int,
        tid: int,
        tag: int,
        time_ns: int,
        fingerprints: Sequence[os.stat_result],
        strings: Sequence[bytes],
    ) -> None:
        if kind != records.TASK and self._tags.get(tid, 0) != tag:
            self._tags[tid] = tag
            self._write(records.TASK_IS, tag, tid, tag, time_ns, (), ())
        size = records.size_of(fingerprints, strings)
        offset = self._reserve(size)
        if offset is None:
            self._words[records.LOST // 8] += 1
            return
        data = records.record(
            offset, size, kind, self.pid, tid, time_ns, value, fingerprints, strings
        )
        self._store(offset, data)

    def _reserve(self, size: int) -> int | None:
        if size > records.RECORD_MAX:
            return None
        self.grow()
        words = self._words
        tail = words[records.TAIL // 8]
        rest = records.CHUNK - tail % records.CHUNK
        take = size if size <= rest else rest + size
        if tail + take > words[records.ALLOCATED // 8]:
            return None
        words[records.TAIL // 8] = tail + take
        if size > rest >= records.HEAD.size:
            self._store(tail, records.record(tail, rest, records.PAD, self.pid, 0, 0, 0)[:64])
        return tail if size <= rest else tail + rest

    def _store(self, offset: int, data: bytes) -> None:
        index, within = divmod(offset, records.CHUNK)
        mapped = self._chunks.get(index)
        if mapped is None or within + len(data) > len(mapped):
            start = index * records.CHUNK
            size = min(records.CHUNK, self._words[records.ALLOCATED // 8] - start)
            mapped = self._chunks[index] = mmap.mmap(self._fd, size, offset=start)
        mapped[within : within + len(data)] = data
