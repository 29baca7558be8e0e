"""The bytes of the trace journal that this process writes itself.

The layout is roar_journal.h's, which docs/journal.md explains; a test compares the two. Nothing of
roar need be installed on a node, so what is needed of it stands here.
"""

from __future__ import annotations

import struct
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

MAGIC = b"ROARJNL\n"
VERSION = 1
HEADER_SIZE = 4096
CHUNK = 16 << 20
MAX_CHUNKS = 64
# For the records of whoever reads the journal; it begins as one PAD.
OWN_ROOM = 64 << 10
RECORD_MAX = 256 << 10
# Where words of the header stand.
RECORDS_OFFSET, TAIL, LOST, ALLOCATED = 64, 128, 136, 192

START, OPEN, CLOSED, RENAME, LINK, UNLINK, TRUNCATE = 1, 6, 10, 11, 12, 13, 14
GAP, PAD, TASK, TASK_IS = 18, 19, 21, 22
READ, WRITE, APPEND, EMPTIED, CREATED = 1, 2, 4, 8, 16
DIRECTORY_RENAMED = 2
GAP_UNENTERED = 14

# Of a TASK record, whose value is `tag << 8 | event`.
PROCESS, BEGIN, SUCCEEDED, FAILED, NEEDS, TROUBLE, SUBMITTED = range(7)

_HEADER = struct.Struct("=8sII16sQQQQQQII36s4xQQ48xQII")
# Magic, size, check, kind, counts of fingerprints and strings, pid, tid, time, value.
HEAD = struct.Struct("=IIIHBBIIQQ")
FINGERPRINT = struct.Struct("=QQQqqII")
LENGTH = struct.Struct("=I")
RECORD_MAGIC = 0x5243524A
_U64 = 0xFFFFFFFFFFFFFFFF


def header(
    run_uid: bytes,
    records_offset: int,
    allocated: int,
    *,
    boot_id: bytes,
    times: tuple[int, int],
) -> bytes:
    """The first page of a journal without a table, which nobody follows.

    `times` are the monotonic and the wall clock's nanoseconds of one moment.
    """
    table = (0, 0, records_offset, CHUNK)
    words = (0, 0, boot_id, records_offset + OWN_ROOM, 0, allocated, 0, 0)
    return _HEADER.pack(MAGIC, VERSION, HEADER_SIZE, run_uid, *times, *table, *words)


def size_of(fingerprints: Sequence[object], strings: Sequence[bytes]) -> int:
    """Bytes of a record with this body."""
    body = len(fingerprints) * FINGERPRINT.size + sum(4 + len(text) for text in strings)
    return (HEAD.size + body + 7) & ~7


def record(
    offset: int,
    size: int,
    kind: int,
    pid: int,
    tid: int,
    time_ns: int,
    value: int,
    fingerprints: Sequence[os.stat_result] = (),
    strings: Sequence[bytes] = (),
) -> bytes:
    """The bytes of a record that is to stand at this offset of the file."""
    prints, texts = len(fingerprints), len(strings)
    head = (kind, prints, texts, pid, tid, time_ns, value)
    parts = [HEAD.pack(RECORD_MAGIC, size, check(offset, size, *head[:4]), *head)]
    parts += (
        FINGERPRINT.pack(
            found.st_dev,
            found.st_ino,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
            found.st_mode,
            found.st_nlink,
        )
        for found in fingerprints
    )
    for text in strings:
        parts += (LENGTH.pack(len(text)), text)
    return b"".join(parts).ljust(size, b"\0")


def check(offset: int, size: int, kind: int, fingerprints: int, strings: int, pid: int) -> int:
    """What ties a record's head to its place."""
    return _mix(offset ^ _mixed_head(size, kind, fingerprints, strings, pid)) & 0xFFFFFFFF


@lru_cache(512)
def _mixed_head(size: int, kind: int, fingerprints: int, strings: int, pid: int) -> int:
    return _mix((size << 32 | kind << 16 | fingerprints << 8 | strings) ^ pid << 20)


def _mix(x: int) -> int:
    """The finaliser of SplitMix64, as roar_mix() of the header has it."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _U64
    return x ^ (x >> 31)
