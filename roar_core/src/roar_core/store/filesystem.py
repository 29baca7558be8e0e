"""What the file system below the database can do: lock a file, share memory between machines."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# File systems that other machines may write at the same time: a mapping there is not shared with
# them, so that a WAL would lose their writes (sqlite.org/wal.html). Names as in /proc/filesystems.
_NETWORKED = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.gcsfuse",
        "fuse.glusterfs", "fuse.juicefs", "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs",
        "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb3",
        "smbfs", "vboxsf", "virtiofs",
    }
)  # fmt: skip


def is_networked(directory: Path) -> bool:
    """Whether other machines may write to files in `directory`, as far as is known."""
    # A device number of its own means a disk: no need to look any further.
    if os.major(directory.stat().st_dev):
        return False
    return file_system_type(directory) in _NETWORKED


def shared_memory_works(directory: Path) -> bool:
    """Whether all who may write to files in `directory` would share a mapping of one."""
    return not is_networked(directory)


def file_system_type(directory: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the file system's type below `directory`, "" if unknown; proc_pid_mountinfo(5)."""
    try:
        lines = mountinfo.read_bytes().splitlines()
    except OSError:
        return ""
    here = os.fsencode(directory.resolve()) + b"/"
    longest, kind = b"", ""
    for line in lines:
        place, _, source = line.partition(b" - ")
        point = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), place.split(b" ")[4])
        # The last of equal mount points lies on top.
        if here.startswith(point.rstrip(b"/") + b"/") and len(point) >= len(longest):
            longest, kind = point, source.split(b" ")[0].decode("ascii", "replace")
    return kind


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a lock file, made when missing; the kernel lets go when we die."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
