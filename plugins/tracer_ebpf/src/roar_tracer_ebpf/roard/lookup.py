"""Look a name up in the kernel's cache only: whatever file system it is on, no answer hangs.

openat2(2) with RESOLVE_CACHED gives up where it would have to ask a disk, a network or a FUSE
process. What a traced program has just named is in that cache.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_OPENAT2 = 437
_AT_FDCWD = -100
_RESOLVE_CACHED = 0x20
_O_PATH = 0o10000000
_HOW = struct.Struct("=QQQ")
_libc = ctypes.CDLL(None, use_errno=True)


def resolved(path: bytes) -> bytes | None:
    """The absolute path of what is at `path`, links followed; None when the cache does not know."""
    fd = _open(path, _O_PATH | os.O_CLOEXEC)
    if fd < 0:
        return None
    try:
        return os.readlink(b"/proc/self/fd/%d" % fd)  # noqa: PTH115 - bytes
    except OSError:
        return None
    finally:
        os.close(fd)


def resolved_name(path: bytes) -> tuple[bytes, bool]:
    """`path` with its directory resolved, its last name left alone; and whether that was done."""
    path = path.rstrip(b"/") or b"/"
    folder, _, name = path.rpartition(b"/")
    whole = resolved(folder or b"/")
    if whole is None or name in (b".", b".."):
        return path, False
    return (whole.rstrip(b"/") + b"/" + name), True


def inode_at(path: bytes) -> tuple[int, bool] | None:
    """The inode number of what is at `path`, not following a link, and whether it is a directory.

    None when the cache does not know, or nothing is there.
    """
    fd = _open(path, _O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    if fd < 0:
        return None
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb") as handle:  # noqa: PTH123 - hot
            lines = handle.read().splitlines()
    finally:
        os.close(fd)
    # proc_pid_fdinfo(5): `ino` since Linux 5.14; no stat, which would ask the file system.
    number = next((int(line[4:]) for line in lines if line.startswith(b"ino:")), None)
    if number is None:
        return None
    folder = _open(path, _O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY)
    if folder >= 0:
        os.close(folder)
    return number, folder >= 0


def _open(path: bytes, flags: int) -> int:
    how = ctypes.create_string_buffer(_HOW.pack(flags, 0, _RESOLVE_CACHED))
    while True:
        fd = int(_libc.syscall(_OPENAT2, _AT_FDCWD, path, how, _HOW.size))
        if fd >= 0 or ctypes.get_errno() != errno.EINTR:
            return fd
