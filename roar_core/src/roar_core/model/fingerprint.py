"""Which file, and which version of it, without reading it."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple


class Fingerprint(NamedTuple):
    """What stat(2) says of a file: equal fingerprints mean the same bytes, once it has settled.

    `dev` is the kernel's `st_dev`; sizes are bytes, times nanoseconds since the epoch.
    """

    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int
    nlink: int

    @classmethod
    def from_stat(cls, result: os.stat_result) -> Fingerprint:
        """Take the fields from an `os.stat_result`."""
        return cls(
            result.st_dev,
            result.st_ino,
            result.st_size,
            result.st_mtime_ns,
            result.st_ctime_ns,
            result.st_mode,
            result.st_nlink,
        )

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode: which file, whatever its content."""
        return (self.dev, self.ino)

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)

    def same_content(self, other: Fingerprint) -> bool:
        """Whether both describe one file with one content: identity, size and both times agree."""
        return self[:5] == other[:5]
