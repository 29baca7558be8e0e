"""What is known of objects' contents: digests of the whole, from parts in any order.

All of it is in memory, and little: an object, or an upload, that was not touched for the longest is
forgotten first. Then its digest is not known, and that is said.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from roar_proxy_s3.proxy.tree import Part
from roar_proxy_s3.proxy.uploads import Upload

_MOST_OBJECTS = 20_000
_MOST_READ_AT_ONCE = 256
# Of one object, that do not meet: some hundred bytes to some KB each.
_MOST_PARTS = 512
_MOST_UPLOADS = 64

PARTIAL = "not all of it was read"

K = TypeVar("K")
V = TypeVar("V")


class Version(NamedTuple):
    """One content of an object, by what the store calls it."""

    bucket: str
    key: str
    etag: str
    version: str | None


class Reading:
    """The parts of one version of an object that were read, those that meet as one."""

    def __init__(self) -> None:
        self._parts: list[Part] = []

    def add(self, part: Part) -> None:
        """A part that has ended. What was read already adds nothing."""
        parts = self._parts
        at = bisect_left(parts, part.start, key=lambda each: each.start)
        follows = at < len(parts) and parts[at].start < part.stop
        if follows or (at and parts[at - 1].stop > part.start):
            return
        parts.insert(at, part)
        if at + 1 < len(parts) and part.stop == parts[at + 1].start:
            part.join(parts.pop(at + 1))
        if at and parts[at - 1].stop == part.start:
            parts[at - 1].join(parts.pop(at))
        if len(parts) > _MOST_PARTS:
            parts.pop()

    def digest(self, size: int) -> str | None:
        """The whole's, if these parts are all of it."""
        if len(self._parts) == 1 and self._parts[0].stop == size:
            return self._parts[0].digest()
        return None


class Contents:
    """What the proxy has learnt in this run, whose folder this is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = _Recent[Version, str](_MOST_OBJECTS)
        self._read = _Recent[Version, Reading](_MOST_READ_AT_ONCE)
        self._uploads = _Recent[str, Upload](_MOST_UPLOADS)

    def learn(self, version: Version, digest: str) -> None:
        """The digest of a whole object."""
        if version.etag or version.version:
            self._known.put(version, digest)

    def known(self, version: Version) -> str | None:
        return self._known.get(version)

    def read(self, version: Version, part: Part, size: int) -> str | None:
        """A part that was read; the whole's digest, if that is now known."""
        if (known := self.known(version)) is not None or not version.etag:
            return known
        reading = self._read.made(version, Reading)
        reading.add(part)
        if (digest := reading.digest(size)) is not None:
            self._read.drop(version)
            self.learn(version, digest)
        return digest

    def upload(self, name: str) -> Upload:
        return self._uploads.made(name, lambda: Upload(self._folder))

    def end_upload(self, name: str) -> None:
        if (upload := self._uploads.drop(name)) is not None:
            upload.close()


class _Recent(Generic[K, V]):
    """A table of the entries used last."""

    def __init__(self, most: int) -> None:
        self._most, self._entries = most, OrderedDict[K, V]()

    def get(self, name: K) -> V | None:
        if name in self._entries:
            self._entries.move_to_end(name)
        return self._entries.get(name)

    def put(self, name: K, value: V) -> None:
        self._entries[name] = value
        self._entries.move_to_end(name)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def made(self, name: K, make: Callable[[], V]) -> V:
        if (found := self.get(name)) is None:
            found = make()
            self.put(name, found)
        return found

    def drop(self, name: K) -> V | None:
        return self._entries.pop(name, None)
