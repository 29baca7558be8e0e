"""What is known of objects' contents: digests of the whole, from parts in any order.

All of it is in memory, and little: an object, or an upload, that was not touched for the longest is
forgotten first. Then its digest is not known, and that is said.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import attrs

from roar_proxy_s3.proxy import tree
from roar_proxy_s3.proxy.tree import Part

_MOST_OBJECTS = 20_000
_MOST_READ_AT_ONCE = 256
# Of one object, that do not meet: some hundred bytes to some KB each.
_MOST_PARTS = 512
_MOST_UPLOADS = 64

NOT_BUILT = "parts are not digested: the library was not compiled"
FORGOTTEN = "too many objects at once to follow"
OTHER_SHAPE = "its parts differ in size in a way that could not be foreseen"
COPIED = "a part was copied within the store"
UNSEEN = "a part was not sent through this proxy"
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


@attrs.define
class Upload:
    """The parts of one multipart upload.

    Where a part begins is known for certain only at the end. Parts but the last are of one size
    with every client that is known, so it is taken to be the largest so far, and checked.
    """

    _largest: int = 0
    _parts: dict[int, tuple[Part | None, int]] = attrs.field(factory=dict)

    def begin(self, number: int, length: int) -> Part:
        """A part that is about to be sent."""
        self._largest = max(self._largest, length)
        return Part((number - 1) * self._largest)

    def add(self, number: int, part: Part | None, length: int) -> None:
        """A part that the store has; None for one copied there."""
        self._parts[number] = (part, length)

    def whole(self, numbers: Sequence[int]) -> tuple[int | None, str | None, str]:
        """Size and digest of an object of these parts, and why one of them is not known."""
        found = [self._parts.get(number) for number in numbers]
        if not found or None in found:
            return None, None, UNSEEN
        known = [each for each in found if each is not None]
        if any(part is None for part, _ in known):
            return None, None, COPIED
        size = sum(length for _, length in known)
        if not tree.is_there():
            return size, None, NOT_BUILT
        at, merged = 0, Part(0)
        for part, length in known:
            if part is None or part.start != at:
                return size, None, OTHER_SHAPE
            merged.join(part)
            at += length
        return size, merged.digest(), OTHER_SHAPE


class Contents:
    """What the proxy has learnt in this run."""

    def __init__(self) -> None:
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
        return self._uploads.made(name, Upload)

    def end_upload(self, name: str) -> None:
        self._uploads.drop(name)


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

    def drop(self, name: K) -> None:
        self._entries.pop(name, None)
