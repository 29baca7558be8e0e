"""The bytes of a trace journal: kinds, bits and layouts of `include/roar_journal.h`, and the codec.

Pure: bytes in, values out. The header file is the master, and a test compares every number here
with it; docs/journal.md explains it. A run has 10^5 records, so they are unpacked by hand.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum, IntFlag
from typing import NamedTuple

from roar_core.garbage import collection_paused
from roar_core.model.fingerprint import Fingerprint

JOURNAL_MAGIC = b"ROARJNL\n"
JOURNAL_VERSION = 1
HEADER_SIZE = 4096
CHUNK = 16 << 20
MAX_CHUNKS = 64
RECORD_MAGIC = 0x5243524A
RECORD_MAX = 256 << 10

# The first bytes of the records: one PAD at first, for the records roar itself writes later.
OWN_ROOM = 64 << 10
# Linear probing ends here, for writers and reader alike: a full table costs little.
PROBE_LIMIT = 64

SLOT_SIZE = 32
PREIMAGE_NONE = 0
PREIMAGE_DONE = 1
PREIMAGE_NEVER = 2

# struct roar_journal_header, with its padding.
HEADER = struct.Struct("=8sII16sQQQQQQII36s4xQQ48xQII48x768x1024s")
SUCCESSOR_MAX = 1024  # with its terminator
BOOT_ID_OFFSET = 88
TAIL_OFFSET = 128
LOST_OFFSET = 136
ALLOCATED_OFFSET = 192
DOORBELL_OFFSET = 200
READER_ALIVE_OFFSET = 204
SLOT = struct.Struct("=QQIIII")
SLOT_PREIMAGE_OFFSET = 24

_HEAD = struct.Struct("=IIIHBBIIQQ")
_FINGERPRINT = "QQQqqII"
_FINGERPRINTS = tuple(struct.Struct("=" + _FINGERPRINT * count) for count in range(3))
_LENGTH = struct.Struct("=I")
_MAGIC_BYTES = struct.pack("=I", RECORD_MAGIC)
_U64 = 0xFFFFFFFFFFFFFFFF


class Kind(IntEnum):
    """What a record tells; the header says what `value`, fingerprints and strings mean for each."""

    START = 1
    EXEC = 2
    EXEC_FAILED = 3
    FORK = 4
    EXIT = 5
    OPEN = 6
    USED = 7
    WRITTEN = 8
    UNUSED = 9
    CLOSED = 10
    RENAME = 11
    LINK = 12
    UNLINK = 13
    TRUNCATE = 14
    MAPPED = 15
    CHDIR = 16
    LOST = 17
    GAP = 18
    PAD = 19
    UNWRITTEN = 20
    TASK = 21
    TASK_IS = 22


class TaskEvent(IntEnum):
    """What a TASK tells of a worker's task: the low 8 bits of its value, above them the tag."""

    PROCESS = 0
    BEGIN = 1
    SUCCEEDED = 2
    FAILED = 3
    NEEDS = 4
    TROUBLE = 5
    SUBMITTED = 6


class Intent(IntFlag):
    """What an OPEN asked for and found."""

    READ = 1
    WRITE = 2
    APPEND = 4
    TRUNCATE = 8
    CREATED = 16
    TMPFILE = 32
    INHERITED = 64
    CODE = 128
    TEXTUAL = 256


class RenameFlag(IntFlag):
    """How a RENAME was done."""

    EXCHANGE = 1
    DIRECTORY = 2
    TEXTUAL = 4


class SlotState(IntFlag):
    """What the tracer has already reported about the inode of a table slot."""

    READ = 1
    WRITE = 2
    USED = 4
    PROGRAM = 8
    CODE = 16
    HELD = 1 << 16
    MAPPED = 1 << 17
    NAMED = 1 << 18
    MADE = 1 << 19


class GapCode(IntEnum):
    """Why a process, or a part of what it does, cannot be seen."""

    STATIC = 1
    FOREIGN_ABI = 2
    FOREIGN_LIBC = 3
    PRIVILEGED = 4
    OTHER_USER = 5
    CHROOT = 6
    SECCOMP = 7
    IO_URING = 8
    NO_MAP = 9
    NO_ROOM = 10
    INTERPOSER = 11
    DIRECT_CALLS = 12
    CUT = 13
    UNENTERED = 14
    OUTLIVED = 15
    TRACER = 16

    @property
    def code(self) -> str:
        """The stable name used in coverage reasons, e.g. `io_uring`."""
        return self.name.lower()


class Record(NamedTuple):
    """One record. `offset` is its place in the file, `kind` a `Kind` or an unknown later number.

    `time_ns` is CLOCK_MONOTONIC; strings are bytes as the kernel has them.
    """

    offset: int
    kind: int
    pid: int
    tid: int
    time_ns: int
    value: int
    fingerprints: tuple[Fingerprint, ...]
    strings: tuple[bytes, ...]


def encode_record(
    offset: int,
    kind: int,
    *,
    pid: int = 0,
    tid: int = 0,
    time_ns: int = 0,
    value: int = 0,
    fingerprints: Sequence[Fingerprint] = (),
    strings: Sequence[bytes] = (),
    size: int | None = None,
) -> bytes:
    """Return the bytes of a record that is to stand at file offset `offset`.

    `size` makes it longer than its content needs (a PAD). Raises ValueError when it cannot be one.
    """
    body = b"".join(
        [struct.pack("=" + _FINGERPRINT, *fingerprint) for fingerprint in fingerprints]
        + [_LENGTH.pack(len(string)) + string for string in strings]
    )
    needed = (_HEAD.size + len(body) + 7) & ~7
    size = needed if size is None else size
    if size < needed or size > RECORD_MAX or size % 8 or len(fingerprints) > 2:
        raise ValueError(f"no record of {size} bytes can hold this")
    check = record_check(offset, size, kind, len(fingerprints), len(strings), pid)
    head = _HEAD.pack(
        RECORD_MAGIC, size, check, kind, len(fingerprints), len(strings), pid, tid, time_ns, value
    )
    return (head + body).ljust(size, b"\0")


def decode_records(
    data: bytes | bytearray | memoryview, start: int, end: int, *, base: int = 0
) -> tuple[list[Record], int, int]:
    """Decode `data[start:end]`, whose first byte lies at file offset `base`.

    Returns the records, the offset in `data` behind the last one, and how many bytes before it hold
    no record: holes left by killed writers, or damage. What follows the last record is not counted:
    it may still be written. Less room before a chunk's end than a record needs is no hole.
    """
    data = bytes(data)
    end = min(end, len(data))
    records: list[Record] = []
    unreadable = 0
    position = behind = decode_run(data, start, end, base, records)
    while position < end:
        found = find_record(data, position, end, base)
        if found is None:
            break
        unreadable += hole_size(base + position, base + found)
        position = behind = decode_run(data, found, end, base, records)
    return records, behind, unreadable


def decode_run(data: bytes, start: int, end: int, base: int, records: list[Record]) -> int:
    """Append the records that stand back to back from `start`; return where one is missing."""
    with collection_paused():
        return _decode_run(data, start, end, base, records)


def _decode_run(data: bytes, start: int, end: int, base: int, records: list[Record]) -> int:
    unpack_head, head_size = _HEAD.unpack_from, _HEAD.size
    unpack_fingerprint = _FINGERPRINTS[1].unpack_from
    unpack_length = _LENGTH.unpack_from
    new, append, pad = tuple.__new__, records.append, int(Kind.PAD)
    inner: dict[tuple[int, int, int, int, int], int] = {}
    position, last = start, end - head_size
    while position <= last:
        magic, size, check, kind, prints, texts, pid, tid, time_ns, value = unpack_head(
            data, position
        )
        if magic != RECORD_MAGIC:
            return position
        offset = base + position
        key = (size, kind, prints, texts, pid)
        mixed = inner.get(key)
        if mixed is None:
            mixed = inner[key] = _mix_head(*key)
        # _mix(), written out: a call here costs a fifth of the whole decoding.
        x = offset ^ mixed
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _U64
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _U64
        if (x ^ (x >> 31)) & 0xFFFFFFFF != check:
            return position
        stop = position + size
        if size < head_size or size > RECORD_MAX or size % 8 or stop > end:
            return position
        if prints > 2 or offset // CHUNK != (offset + size - 1) // CHUNK:
            return position
        cursor = position + head_size
        if cursor + prints * 48 > stop:
            return position
        fingerprints: tuple[Fingerprint, ...] = ()
        if prints:
            first = new(Fingerprint, unpack_fingerprint(data, cursor))
            if prints == 1:
                fingerprints = (first,)
                cursor += 48
            else:
                second = new(Fingerprint, unpack_fingerprint(data, cursor + 48))
                fingerprints = (first, second)
                cursor += 96
        strings: tuple[bytes, ...] = ()
        for _ in range(texts):
            if cursor + 4 > stop:
                return position
            cut = cursor + 4 + unpack_length(data, cursor)[0]
            if cut > stop:
                return position
            strings += (data[cursor + 4 : cut],)
            cursor = cut
        if kind != pad:
            append(new(Record, (offset, kind, pid, tid, time_ns, value, fingerprints, strings)))
        position = stop
    return position


def find_record(data: bytes, start: int, end: int, base: int) -> int | None:
    """Return where the first readable record in `data[start:end]` stands, or None."""
    position = start
    while True:
        position = data.find(_MAGIC_BYTES, position, end)
        if position < 0:
            return None
        if (base + position) % 8 == 0 and position + _HEAD.size <= end:
            stop = min(end, position + _LENGTH.unpack_from(data, position + 4)[0])
            if _decode_run(data, position, stop, base, []) > position:
                return position
        position += 1


def hole_size(start: int, end: int) -> int:
    """How many of the bytes between two file offsets a record could have stood in.

    Fewer than a head's size before a chunk's end cannot, so writers leave them.
    """
    boundary = (start // CHUNK + 1) * CHUNK
    if boundary <= end and boundary - start < _HEAD.size:
        start = boundary
    return end - start


def slot_key(dev: int, ino: int) -> int:
    """The table's key of an inode; never 0, which marks an empty slot."""
    return (_mix(ino) ^ _mix((dev * 0x9E3779B97F4A7C15) & _U64)) or 1


def record_check(
    offset: int, size: int, kind: int, fingerprints: int, strings: int, pid: int
) -> int:
    """What tells a record at `offset` from bytes that look like one."""
    return _mix(offset ^ _mix_head(size, kind, fingerprints, strings, pid)) & 0xFFFFFFFF


def stamp(size: int, mtime_ns: int, ctime_ns: int) -> int:
    """The 32-bit version of a file that a table slot holds."""
    return _mix(size ^ _mix((mtime_ns & _U64) ^ _mix(ctime_ns & _U64))) & 0xFFFFFFFF


def _mix_head(size: int, kind: int, fingerprints: int, strings: int, pid: int) -> int:
    return _mix((size << 32 | kind << 16 | fingerprints << 8 | strings) ^ pid << 20)


def _mix(x: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection on 64 bits."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _U64
    return x ^ (x >> 31)
