"""Where a journal lies: making it with real blocks, finding it again, reading it after a crash."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import stat
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from roar_core.boot import boot_id
from roar_core.errors import JournalError
from roar_core.journal_format import (
    CHUNK,
    HEADER,
    HEADER_SIZE,
    JOURNAL_MAGIC,
    JOURNAL_VERSION,
    MAX_CHUNKS,
    OWN_ROOM,
    SLOT_SIZE,
    SUCCESSOR_MAX,
    Kind,
    Record,
    decode_records,
    decode_run,
    encode_record,
    find_record,
    hole_size,
)

_POINTER = b"roar journal at "
_POINTER_MAX = 8192
_PRIVATE = re.compile(r"/(?:.*/)?roar-[0-9a-f]{32}/journal\.jnl", re.DOTALL)
# What file systems answer that cannot allocate ahead or share a mapping (FUSE, some 9p, old NFS).
_UNSUITABLE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.EPERM)


class Header(NamedTuple):
    """The first page of a journal, without its padding; times in nanoseconds."""

    magic: bytes
    version: int
    header_size: int
    run_uid: bytes
    created_monotonic_ns: int
    created_realtime_ns: int
    table_offset: int
    table_slots: int
    records_offset: int
    chunk_size: int
    preimage_wait_ms: int
    reserved: int
    boot_id: bytes
    tail: int
    lost: int
    allocated: int
    doorbell: int
    reader_alive: int
    successor: bytes

    @property
    def clock(self) -> int:
        """Nanoseconds to add to a record's monotonic time to get the wall clock's."""
        return self.created_realtime_ns - self.created_monotonic_ns

    @property
    def is_of_this_boot(self) -> bool:
        """Whether its processes are this machine's, and of its last start, as far as is known."""
        here = boot_id().encode()
        return not here or not self.boot_id.strip(b"\0") or self.boot_id == here


class RecoveredJournal(NamedTuple):
    """All that could be read of a journal whose roar has died.

    `unreadable_bytes` counts what held no record where there should have been one, a missing end
    included; `lost` the records for which writers found no room.
    """

    path: str
    wanted: str
    header: Header
    records: list[Record]
    lost: int
    unreadable_bytes: int

    def remove(self) -> None:
        """Delete the file, its private directory and its pointer."""
        remove(self.wanted, self.path)


def create(
    wanted: str,
    run_uid: bytes,
    *,
    table_slots: int,
    preimage_wait_ms: int,
    private_dirs: Sequence[str],
    room_bytes: int,
    successor: bytes,
) -> tuple[int, str]:
    """Create an empty journal; return its descriptor and the path where it really lies."""
    if table_slots & (table_slots - 1) or len(run_uid) != 16:
        raise ValueError("table_slots is a power of two or 0, a run's uid 32 hex digits")
    records_offset = HEADER_SIZE + table_slots * SLOT_SIZE
    if not records_offset + OWN_ROOM < room_bytes <= CHUNK:
        raise ValueError(f"a journal with this table does not fit {room_bytes} bytes")
    content = HEADER.pack(
        JOURNAL_MAGIC,
        JOURNAL_VERSION,
        HEADER_SIZE,
        run_uid,
        time.monotonic_ns(),
        time.time_ns(),
        HEADER_SIZE if table_slots else 0,
        table_slots,
        records_offset,
        CHUNK,
        preimage_wait_ms,
        0,
        boot_id().encode(),
        records_offset + OWN_ROOM,
        0,
        room_bytes,
        0,
        1,
        successor if len(successor) < SUCCESSOR_MAX else b"",
    )
    fd = _allocate(wanted, room_bytes)
    path = wanted
    if fd is None:
        fd, path = allocate_privately(wanted, run_uid.hex(), private_dirs, room_bytes)
    own = encode_record(records_offset, Kind.PAD, pid=os.getpid(), size=OWN_ROOM)
    os.pwrite(fd, own[:64], records_offset)
    os.pwrite(fd, content, 0)
    return fd, path


def private_directories(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where a journal may lie when the project's file system will not do, best first."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    shared = "/dev/shm"  # noqa: S108 - a directory of mode 0700 is made below it
    return (runtime, shared) if runtime.startswith("/") else (shared,)


def read_header(fd: int, path: str) -> Header:
    """Read and check the first page. Raises JournalError naming what is wrong with it."""
    return header_of(os.pread(fd, HEADER.size, 0), path)


def header_of(raw: bytes, path: str) -> Header:
    """The header in the first page of a journal, checked like `read_header`."""
    if len(raw) < HEADER.size or not raw.startswith(JOURNAL_MAGIC):
        raise JournalError(f"{path!r} is not a trace journal")
    header = Header._make(HEADER.unpack_from(raw))
    if header.version != JOURNAL_VERSION:
        raise JournalError(
            f"journal {path!r} has version {header.version}, this roar reads {JOURNAL_VERSION}; "
            "use the roar that wrote it"
        )
    slots, table_end = header.table_slots, HEADER_SIZE + header.table_slots * SLOT_SIZE
    if (
        header.header_size != HEADER_SIZE
        or header.chunk_size != CHUNK
        or slots & (slots - 1)
        or header.table_offset != (HEADER_SIZE if slots else 0)
        or header.records_offset != table_end
        or table_end >= CHUNK
    ):
        raise JournalError(f"journal {path!r} has a damaged header")
    return header


def open_existing(path: str | os.PathLike[str]) -> RecoveredJournal:
    """Read a whole journal, whatever state it is in, without changing it.

    Records are looked for to the end of the file, so a damaged tail hides none. Raises JournalError
    when the file is not there, is not a journal, or has a damaged header.
    """
    wanted = os.fspath(path)
    actual = _follow(wanted)
    fd = _open_private(actual)
    try:
        header = read_header(fd, actual)
        size = min(os.fstat(fd).st_size, MAX_CHUNKS * CHUNK)
        records, unreadable = _read_to_end(fd, header, size)
    finally:
        os.close(fd)
    return RecoveredJournal(actual, wanted, header, records, header.lost, unreadable)


def is_held(wanted: str) -> bool:
    """Whether a tracer's service has yet to write into a journal: it holds a lock, flock(2)."""
    try:
        # A file system over the network grants an exclusive lock only to who may write.
        fd = _open_private(_follow(wanted), os.O_RDWR)
    except JournalError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno == errno.EWOULDBLOCK  # else there are no locks here
    finally:
        os.close(fd)
    return False


def hand_over(path: str, outer: str) -> bool:
    """Copy what is in the journal at `path` beside the one at `outer`, for its roar to read.

    For a tracer that has taken a command away from a run around this one. False when nobody on this
    machine follows `outer`.
    """
    try:
        with os.fdopen(_open_private(outer), "rb") as file:
            header = read_header(file.fileno(), outer)
        if not (header.reader_alive and header.is_of_this_boot):
            return False
        source = _open_private(path)
    except JournalError:
        return False
    with os.fdopen(source, "rb") as file:
        header = read_header(source, path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        target = os.open(f"{outer}.{header.run_uid.hex()}", flags, 0o600)
        with os.fdopen(target, "wb") as copy:
            first_page = file.read(HEADER_SIZE)
            # What lies between is the table, of which a hole will do.
            for place in (file, copy):
                place.seek(header.records_offset)
            copied = header.records_offset
            while copied < header.tail and (piece := file.read(min(1 << 20, header.tail - copied))):
                copied += copy.write(piece)
            # Last: half a copy is no journal, and the outer run says so.
            copy.seek(0)
            copy.write(first_page)
    return True


def handed_over_to(wanted: str) -> list[str]:
    """The journals that runs inside the one of `wanted` have left to it."""
    try:
        actual = _follow(wanted)
    except JournalError:
        return []
    name = re.compile(re.escape(os.path.basename(actual)) + r"\.[0-9a-f]{32}")  # noqa: PTH119
    folder = os.path.dirname(actual)  # noqa: PTH120 - any bytes
    entries = os.listdir(folder)  # noqa: PTH208 - text, and any bytes
    return sorted(f"{folder}/{each}" for each in entries if name.fullmatch(each))


def remove(wanted: str, actual: str | None = None) -> None:
    """Delete a journal, and the pointer to it when it lies elsewhere; nothing there is no error.

    What was handed over to it goes, too. `actual` is where it lies, when that is known.
    """
    for inner in handed_over_to(wanted):
        Path(inner).unlink(missing_ok=True)
    if actual is None:
        try:
            actual = _follow(wanted)
        except JournalError:
            actual = wanted
    Path(actual).unlink(missing_ok=True)
    if actual != wanted:
        Path(wanted).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            Path(actual).parent.rmdir()


def records_and_holes(data: bytes, header: Header) -> tuple[list[Record], list[tuple[int, int]]]:
    """All records of a journal that was copied, maybe not to its end, and where some are missing.

    A hole is the first offset of it and the first behind it, which may lie behind the data.
    """
    records: list[Record] = []
    holes: list[tuple[int, int]] = []
    size = min(len(data), MAX_CHUNKS * CHUNK)
    tail = min(header.tail, header.allocated, MAX_CHUNKS * CHUNK)
    filled = position = header.records_offset
    while position < size:
        end = min(size, (position // CHUNK + 1) * CHUNK)
        behind = decode_run(data, position, end, 0, records)
        if behind > position:
            if hole_size(filled, position):
                holes.append((filled, position))
            filled = behind
        found = find_record(data, behind, end, 0)
        position = end if found is None else found
    if filled < tail and hole_size(filled, tail):
        holes.append((filled, tail))
    return records, holes


def _read_to_end(fd: int, header: Header, size: int) -> tuple[list[Record], int]:
    records: list[Record] = []
    unreadable = hole = 0
    tail = min(header.tail, header.allocated, MAX_CHUNKS * CHUNK)
    start = header.records_offset
    while start < size:
        end = min(size, (start // CHUNK + 1) * CHUNK)
        data = os.pread(fd, end - start, start)
        if not data:
            break
        found, behind, skipped = decode_records(data, 0, len(data), base=start)
        if found or behind:
            unreadable += hole + skipped
            hole = 0
        records += found
        # A hole to the end of a chunk counts only when it was reserved, or records follow it.
        if start + behind < min(tail, end):
            unreadable += hole_size(start + behind, min(tail, end))
            hole = end - max(tail, start + behind) if end > tail else 0
        else:
            hole += hole_size(start + behind, end)
        start = end
    return records, unreadable + max(0, tail - max(size, header.records_offset))


def _allocate(path: str, room_bytes: int) -> int | None:
    """Create `path` with blocks; None when its file system cannot. JournalError when it is full."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        raise JournalError(f"cannot create the journal {path!r}: {error.strerror}") from error
    try:
        os.posix_fallocate(fd, 0, room_bytes)
        mmap.mmap(fd, HEADER_SIZE).close()
    except OSError as error:
        os.close(fd)
        Path(path).unlink()
        if error.errno in _UNSUITABLE:
            return None
        where = f"the file system of {os.path.dirname(path)!r}"  # noqa: PTH120 - any bytes survive
        raise JournalError(
            f"no room for a journal of {room_bytes >> 20} MiB on {where}: {error.strerror}"
        ) from error
    return fd


def allocate_privately(
    wanted: str, name: str, private_dirs: Sequence[str], room_bytes: int
) -> tuple[int, str]:
    """Create the journal in a directory of mode 0700 below one of these, and point to it."""
    for directory in private_dirs:
        private = f"{directory}/roar-{name}"
        try:
            Path(private).mkdir(mode=0o700)
        except OSError:
            continue
        path = f"{private}/journal.jnl"
        fd = _allocate(path, room_bytes)
        if fd is None:
            Path(private).rmdir()
            continue
        Path(wanted).write_bytes(_POINTER + os.fsencode(path) + b"\n")
        return fd, path
    raise JournalError(
        f"the file system of {wanted!r} cannot hold a journal, nor can {', '.join(private_dirs)}"
    )


def _follow(wanted: str) -> str:
    """The path a pointer at `wanted` names, or `wanted` itself when it is no pointer."""
    fd = _open_private(wanted)
    try:
        raw = os.pread(fd, _POINTER_MAX, 0)
    finally:
        os.close(fd)
    if not raw.startswith(_POINTER):
        return wanted
    target = os.fsdecode(raw.removeprefix(_POINTER).removesuffix(b"\n"))
    if not _PRIVATE.fullmatch(target):
        # What a pointer names is read, and deleted in the end: never a file of somebody else's.
        raise JournalError(f"{wanted!r} points to {target!r}, which is no journal of ours")
    return target


def _open_private(path: str, access: int = os.O_RDONLY) -> int:
    try:
        fd = os.open(path, access | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise JournalError(f"cannot open the journal {path!r}: {error}") from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or os.geteuid() not in (status.st_uid, 0):
        os.close(fd)
        raise JournalError(f"{path!r} is not a trace journal of this user")
    return fd
