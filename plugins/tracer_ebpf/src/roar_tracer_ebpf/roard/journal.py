"""Write into a journal that a client handed over as a descriptor.

The format is docs/journal.md and roar_core's include/roar_journal.h; a test compares the numbers.
Nothing of the file is ever mapped and touched: its owner may cut it at any moment, and a touch
beyond its end would kill the collector of everybody.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import platform
import stat
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MAGIC = b"ROARJNL\n"
VERSION = 1
HEADER_SIZE = 4096
CHUNK = 16 << 20
MAX_CHUNKS = 64
RECORD_MAGIC = 0x5243524A
RECORD_MAX = 256 << 10
OWN_ROOM = 64 << 10
SLOT_SIZE = 32
TAIL_OFFSET, LOST_OFFSET, ALLOCATED_OFFSET = 128, 136, 192
DOORBELL_OFFSET, READER_ALIVE_OFFSET = 200, 204
BOOT_ID = slice(88, 124)

START, EXEC, FORK, EXIT, OPEN, USED, WRITTEN, UNUSED = 1, 2, 4, 5, 6, 7, 8, 9
RENAME, LINK, UNLINK, TRUNCATE, MAPPED, LOST, GAP, PAD, UNWRITTEN = (
    11,
    12,
    13,
    14,
    15,
    17,
    18,
    19,
    20,
)
INTENT_READ, INTENT_WRITE, INTENT_APPEND, INTENT_TRUNCATE = 1, 2, 4, 8
INTENT_CREATED, INTENT_TMPFILE, INTENT_INHERITED, INTENT_CODE = 16, 32, 64, 128
RENAME_EXCHANGE, RENAME_DIRECTORY, RENAME_TEXTUAL = 1, 2, 4
GAP_FOREIGN_ABI, GAP_PRIVILEGED, GAP_IO_URING, GAP_CUT, GAP_TRACER = 2, 4, 8, 13, 16

_FUTEX_WAKE = 1
_SYS_FUTEX = {"x86_64": 202, "aarch64": 98}
_HEAD = struct.Struct("=IIIHBBIIQQ")
_PRINT = struct.Struct("=QQQqqII")
_LENGTH = struct.Struct("=I")
_U64 = 0xFFFFFFFFFFFFFFFF
_FUSE_MAGIC = 0x65735546
# How long records wait for roar to add room before they are counted as lost.
_PATIENCE_S = 1.0
# What one run may keep waiting meanwhile.
_WAITING_MAX = 64 << 20

Fingerprint = tuple[int, ...]


class JournalError(Exception):
    """The descriptor is no journal that may be written, or is one no longer."""


class JournalWriter:
    """The only writer of one run's journal. Owns `fd`. Its errors are JournalError.

    `lost` counts the records for which roar made no room. After that no offset that was given out
    is sure any more: `offsets_hold` is False.
    """

    def __init__(self, fd: int, owner: int) -> None:
        self._fd = fd
        self.lost = 0
        self.offsets_hold = True
        header = self._checked(owner)
        # Whoever recovers a dead roar's journal sees by it that more is to come. Without locks on
        # that file system, or with another's on this file, nobody can be told.
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self._position: int
        self._told_lost: int
        self._position, self._told_lost = struct.unpack_from("=QQ", header, TAIL_OFFSET)
        self._written = self._position
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._waits_since: float | None = None
        self._heads: dict[tuple[int, int, int, int, int], int] = {}
        # Only ever named to futex(2), which answers EFAULT where a touch would be SIGBUS.
        self._page = mmap.mmap(fd, HEADER_SIZE)
        self._bell = ctypes.addressof(ctypes.c_char.from_buffer(self._page)) + DOORBELL_OFFSET

    def _checked(self, owner: int) -> bytes:
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise JournalError("the journal is no regular file")
        if status.st_uid != owner:
            raise JournalError("the journal is another user's file")
        mode = fcntl.fcntl(self._fd, fcntl.F_GETFL)
        if mode & os.O_ACCMODE != os.O_RDWR or mode & (os.O_APPEND | os.O_DIRECT):
            raise JournalError("the journal must be open for reading and writing")
        if _file_system(self._fd) == _FUSE_MAGIC and owner != 0:
            raise JournalError("the journal lies on a FUSE file system, which may never answer")
        header = os.pread(self._fd, HEADER_SIZE, 0)
        if len(header) < HEADER_SIZE or header[:8] != MAGIC:
            raise JournalError("the file is no journal")
        version, size = struct.unpack_from("=II", header, 8)
        table, slots, records, chunk = struct.unpack_from("=QQQQ", header, 48)
        tail = struct.unpack_from("=Q", header, TAIL_OFFSET)[0]
        if version != VERSION or size != HEADER_SIZE or chunk != CHUNK:
            raise JournalError(f"the journal is of version {version}, this roard writes {VERSION}")
        if header[BOOT_ID].strip(b"\0") not in (b"", _boot_id()):
            raise JournalError("the journal is another machine's, or of before its last start")
        if slots > 1 << 24 or records != HEADER_SIZE + slots * SLOT_SIZE or table % 8:
            raise JournalError("the journal's header is damaged")
        if not records + OWN_ROOM <= tail <= status.st_size <= MAX_CHUNKS * CHUNK or tail % 8:
            raise JournalError("the journal's header is damaged")
        return header

    def add(
        self,
        kind: int,
        pid: int,
        tid: int,
        time_ns: int,
        value: int = 0,
        fingerprints: Sequence[Fingerprint] = (),
        strings: Sequence[bytes] = (),
    ) -> int:
        """Take a record into the queue; return the offset at which it will stand."""
        parts = [_PRINT.pack(*fingerprint) for fingerprint in fingerprints]
        for string in strings:
            parts.append(_LENGTH.pack(len(string)))
            parts.append(string)
        body = b"".join(parts)
        size = (_HEAD.size + len(body) + 7) & ~7
        self._fill_chunk(size)
        at = self._position
        head = self._head(at, kind, len(fingerprints), len(strings), size, pid, tid, time_ns, value)
        self._queue((head + body).ljust(size, b"\0"))
        return at

    def _fill_chunk(self, size: int) -> None:
        rest = CHUNK - self._position % CHUNK
        if size <= rest:
            return
        while rest >= _HEAD.size:
            part = min(rest, RECORD_MAX)
            if 0 < rest - part < _HEAD.size:
                part -= _HEAD.size
            head = self._head(self._position, PAD, 0, 0, part, os.getpid(), 0, 0, 0)
            self._queue(head.ljust(part, b"\0"))
            rest -= part
        if rest:
            self._queue(bytes(rest))

    def _queue(self, record: bytes) -> None:
        self._waiting.append(record)
        self._waiting_bytes += len(record)
        self._position += len(record)

    def _head(
        self,
        at: int,
        kind: int,
        prints: int,
        strings: int,
        size: int,
        pid: int,
        tid: int,
        time_ns: int,
        value: int,
    ) -> bytes:
        key = (size, kind, prints, strings, pid)
        mixed = self._heads.get(key)
        if mixed is None:
            mixed = _mix((size << 32 | kind << 16 | prints << 8 | strings) ^ pid << 20)
            self._heads[key] = mixed
        check = _mix(at ^ mixed) & 0xFFFFFFFF
        return _HEAD.pack(
            RECORD_MAGIC, size, check, kind, prints, strings, pid, tid, time_ns, value & _U64
        )

    def flush(self, patience_s: float = _PATIENCE_S) -> bool:
        """Write what is waiting as far as roar has made room; return whether all went out.

        Rings when there is too little. What has waited longer than `patience_s`, or is too much, is
        counted as lost. Raises JournalError when the file is cut or damaged.
        """
        if not self._waiting:
            return True
        try:
            return self._flush(patience_s)
        except OSError as error:
            raise JournalError(f"the journal cannot be written: {error.strerror}") from error

    def _flush(self, patience_s: float) -> bool:
        size = os.fstat(self._fd).st_size
        header = os.pread(self._fd, 8, ALLOCATED_OFFSET)
        if size < self._written or len(header) < 8:
            raise JournalError("the journal was cut while it was written")
        room = min(struct.unpack("=Q", header)[0], size, MAX_CHUNKS * CHUNK)
        count, end = 0, self._written
        for record in self._waiting:
            if end + len(record) > room:
                break
            end += len(record)
            count += 1
        if count:
            data = b"".join(self._waiting[:count])
            del self._waiting[:count]
            # First the records, then the tail: whoever reads up to it finds no hole.
            os.pwrite(self._fd, data, self._written)
            os.pwrite(self._fd, struct.pack("=Q", end), TAIL_OFFSET)
            self._waiting_bytes -= len(data)
            self._written = end
            self._waits_since = None
        if room - end < CHUNK // 4:
            self.ring()
        if not self._waiting:
            return True
        now = time.monotonic()
        if self._waits_since is None:
            self._waits_since = now
        if now - self._waits_since >= patience_s or self._waiting_bytes > _WAITING_MAX:
            self._give_up()
        return False

    def _give_up(self) -> None:
        self.count_lost(sum(1 for record in self._waiting if len(record) >= _HEAD.size))
        self.offsets_hold = False
        self._waiting.clear()
        self._waiting_bytes = 0
        self._position = self._written
        self._waits_since = None

    def count_lost(self, count: int) -> None:
        """Add to the header's own count, for which there is always room."""
        self.lost += count
        total = struct.pack("=Q", self._told_lost + self.lost)
        os.pwrite(self._fd, total, LOST_OFFSET)

    def ring(self) -> None:
        """Wake roar: room runs short, or somebody waits for what was just written."""
        word = os.pread(self._fd, 4, DOORBELL_OFFSET)
        if len(word) == 4:
            number = struct.unpack("=I", word)[0] + 1 & 0xFFFFFFFF
            os.pwrite(self._fd, struct.pack("=I", number), DOORBELL_OFFSET)
            futex = _SYS_FUTEX[platform.machine()]
            _libc.syscall(
                futex, ctypes.c_void_p(self._bell), _FUTEX_WAKE, 0x7FFFFFFF, None, None, 0
            )

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        if self._fd >= 0:
            self._page.close()
            os.close(self._fd)
            self._fd = -1


_libc = ctypes.CDLL(None, use_errno=True)


def _file_system(fd: int) -> int:
    """The magic number of the file's file system, by fstatfs(2); 0 when it cannot be told."""
    room = (ctypes.c_long * 64)()
    return int(room[0]) if _libc.fstatfs(fd, room) == 0 else 0


def _boot_id() -> bytes:
    return Path("/proc/sys/kernel/random/boot_id").read_bytes()[:36]


def _mix(x: int) -> int:
    """roar_mix() of roar_journal.h."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _U64
    return x ^ (x >> 31)
