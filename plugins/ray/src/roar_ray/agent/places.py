"""Where a path leads, in the kernel's words and without opening what lies there."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

# Regular, endless, and no artifacts.
_SPECIAL = (b"/proc/", b"/sys/", b"/memfd:", b"/dev/")


class Place(NamedTuple):
    """What lies at a path: the resolved path, and stat(2) of it."""

    path: bytes
    status: os.stat_result


def look(path: str | bytes, *, follow: bool = True) -> Place | None:
    """What lies at `path`; None when nothing does, or no file or directory that lineage is about.

    By a descriptor that cannot read or block (O_PATH), so that path and status are of one file.
    """
    flags = os.O_PATH | os.O_CLOEXEC
    try:
        fd = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(fd)
        resolved = os.readlink(b"/proc/self/fd/%d" % fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    is_artifact = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    if not is_artifact or resolved.startswith(_SPECIAL):
        return None
    return Place(resolved, status)


def name(path: str | bytes) -> bytes | None:
    """The absolute path of an entry itself, which may be gone or a link; None without a parent."""
    folder, _, entry = os.fsencode(path).rstrip(b"/").rpartition(b"/")
    parent = look(folder or (b"/" if os.fsencode(path).startswith(b"/") else b"."))
    return None if parent is None else parent.path.rstrip(b"/") + b"/" + entry


def same(first: Place | None, second: Place | None) -> bool:
    """Whether both are one file."""
    if first is None or second is None:
        return False
    a, b = first.status, second.status
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
