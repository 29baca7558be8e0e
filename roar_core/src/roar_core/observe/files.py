"""What a run did to one file, and which names it knows: the values a history is made of."""

from __future__ import annotations

from typing import NamedTuple

from roar_core.model.fingerprint import Fingerprint

# How the tree knows a name: as found, as one it gave (created, renamed or linked to) and as one
# through which it opened the file for writing.
FOUND = 0
GIVEN = 1
WRITTEN = 2


class FileHistory:
    """One inode from the first to the last record about it; a reused number is another file.

    `before` is the version before the tree first opened it for writing, `latest` the newest one
    reported. `names` maps the present names to how they are known, `found` holds those under which
    it was there before the tree acted, and `read_as` those under which it was used. `last_name` is
    the one that was taken away last, empty when none was.
    """

    __slots__ = (
        "before",
        "before_time_ns",
        "found",
        "identity",
        "is_created",
        "is_dead",
        "is_replaced",
        "is_touched",
        "is_written",
        "last_name",
        "latest",
        "names",
        "read_as",
    )

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.identity = fingerprint[:2]
        self.latest = fingerprint
        self.before: Fingerprint | None = None
        self.before_time_ns = 0
        self.names: dict[str, int] = {}
        self.found: tuple[str, ...] = ()
        self.read_as: tuple[str, ...] = ()
        self.last_name = ""
        self.is_created = False
        self.is_replaced = False  # of what it held before the run, nothing is left
        self.is_dead = False  # its last name is gone, so its number may be another file's
        self.is_touched = False  # opened for writing, or a name taken away
        self.is_written = False  # its content is known to have been changed

    @property
    def is_untouched(self) -> bool:
        """Whether it holds what it held before the run, as far as opens tell."""
        return not self.is_created and self.before is None


class Read(NamedTuple):
    """A version of a file that the tree used, under the name it had then."""

    path: str
    fingerprint: Fingerprint
    file: FileHistory


def same_version(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether one file's size and mtime agree; ctime also moves with names and permissions."""
    return one.size == other.size and one.mtime_ns == other.mtime_ns
