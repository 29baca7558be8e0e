"""Which parts of a sparse file need no reading, and when a file system is believed about it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

# They answer SEEK_HOLE from what is in memory, data not yet on disk included.
_EXACT = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs"})
# Others may report a hole where data not yet on disk belongs (OpenZFS before 2.2.2 did, for up to
# the 5 s between its writes to disk): believed only of a file left alone for longer.
_ELSEWHERE_AFTER_NS = 15_000_000_000


def believes_holes(found: os.stat_result, filesystem: str | None, now_ns: int) -> bool:
    """Whether the holes of a file may be taken for zeros; `filesystem` is None when not known."""
    return filesystem in _EXACT or now_ns - found.st_ctime_ns > _ELSEWHERE_AFTER_NS


def is_sparse(found: os.stat_result) -> bool:
    """Whether most of a file is a hole, so that looking for holes pays."""
    return found.st_blocks * 512 < found.st_size // 2


def filesystem_of(device: int) -> str | None:
    """The type of the file system `device` (`st_dev`) as /proc/self/mountinfo has it (proc(5)).

    None where that does not tell: off Linux, and on the subvolumes of some file systems.
    """
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return None
    for line in mounts.splitlines():
        mount, _, filesystem = line.partition(b" - ")
        if mount.split()[2] == wanted:
            return os.fsdecode(filesystem.split()[0])
    return None


def next_data(fd: int, offset: int, size: int) -> int:
    """Where data begins at or after `offset`; `size` when only a hole is left (lseek(2))."""
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as problem:
        # Anything but "no more data" is a file system that cannot tell: then all of it is data.
        return size if problem.errno == errno.ENXIO else offset
