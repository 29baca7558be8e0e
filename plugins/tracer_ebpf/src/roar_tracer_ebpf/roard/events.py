"""The events of trace.bpf.c, decoded: bytes in, values out."""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

FORK, EXIT, EXEC, OPEN, READ, WRITTEN = 1, 2, 3, 4, 5, 6
RENAME, LINK, UNLINK, TRUNCATE, MAPPED, IO_URING = 7, 8, 9, 10, 11, 12

CUT, DETACHED, SAME_BASE, HAS_AFTER, HAS_BEFORE = 1, 2, 4, 8, 16
NO_NAME, FOREIGN, PRIVILEGED, CODE = 32, 64, 128, 256

FMODE_READ, FMODE_WRITE, FMODE_CREATED = 1, 2, 1 << 20

_PRINT = "QQqqIIIIIIII"
_HEAD = struct.Struct("=HHIIIQq")
_TOUCH = struct.Struct("=HHIIIQqI12x" + _PRINT)
_FULL = struct.Struct("=HHIIIQqIII4x" + _PRINT * 2 + "IIII")
_BARE = frozenset({FORK, EXIT, IO_URING})


class Print(NamedTuple):
    """An inode and its version, as the kernel holds it: `dev` is the kernel's own number."""

    ino: int
    size: int
    mtime_sec: int
    ctime_sec: int
    mtime_nsec: int
    ctime_nsec: int
    dev: int
    gen: int
    mode: int
    nlink: int
    magic: int
    iflags: int

    @property
    def fingerprint(self) -> tuple[int, ...]:
        """What stat(2) would say, in the order of the journal's fingerprint."""
        return (
            # linux/kdev_t.h: 12 bits of major number, 20 of minor.
            os.makedev(self.dev >> 20, self.dev & 0xFFFFF),
            self.ino,
            self.size,
            self.mtime_sec * 1_000_000_000 + self.mtime_nsec,
            self.ctime_sec * 1_000_000_000 + self.ctime_nsec,
            self.mode,
            self.nlink,
        )


class Event(NamedTuple):
    """One event; what its kind does not have is zero, None or empty.

    `paths` are the walked ones, absolute; `names` what the call was given.
    """

    kind: int
    flags: int
    run: int
    pid: int
    tid: int
    time_ns: int
    value: int
    open_flags: int = 0
    f_mode: int = 0
    after: Print | None = None
    before: Print | None = None
    paths: tuple[bytes, bytes] = (b"", b"")
    names: tuple[bytes, bytes] = (b"", b"")


def decode(data: bytes, at: int, length: int) -> Event:
    """The event that takes `length` bytes of `data` from `at` on. Raises struct.error on others."""
    kind = data[at]
    if kind in _BARE:
        return _event(_HEAD.unpack_from(data, at))
    if kind in (READ, WRITTEN):
        fields = _TOUCH.unpack_from(data, at)
        return _event(fields)._replace(after=Print(*fields[8:20]))
    fields = _FULL.unpack_from(data, at)
    flags = fields[1]
    first, second, third, fourth = fields[34:38]
    start = at + _FULL.size
    one = _path(data, start, start + first)
    other = one if flags & SAME_BASE else _path(data, start + first, start + second)
    names_at = max(first, second)
    return _event(fields)._replace(
        open_flags=fields[8],
        f_mode=fields[9],
        after=Print(*fields[10:22]) if flags & HAS_AFTER else None,
        before=Print(*fields[22:34]) if flags & HAS_BEFORE else None,
        paths=(one, other),
        names=(
            data[start + names_at : start + third].removesuffix(b"\0"),
            data[start + third : start + fourth].removesuffix(b"\0"),
        ),
    )


def _event(fields: tuple[int, ...]) -> Event:
    kind, flags, run, pid, tid, time_ns, value = fields[:7]
    return Event(kind, flags, run, pid, tid, time_ns, value)


def _path(data: bytes, start: int, end: int) -> bytes:
    """Components from the leaf to the root, each with its terminator, as a path."""
    if start >= end:
        return b"/"
    parts = data[start : end - 1].split(b"\0")
    parts.append(b"")
    parts.reverse()
    return b"/".join(parts)
