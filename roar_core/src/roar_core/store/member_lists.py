"""The members of a dataset as columns of bytes: a hundred thousand of them are 4 MB and one row.

Which digests are in a dataset is a search through bytes, and a job's share of a dataset is a bit
for each member. docs/adr/0010 has what rows would have cost.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from sys import byteorder
from typing import NamedTuple

from roar_core.errors import DatabaseError
from roar_core.model.composite import Component, ComponentKind

_KINDS: tuple[ComponentKind, ...] = ("file", "symlink", "composite")
_DIGEST_BYTES = 32
_LEVEL = 1  # names compress tenfold at once; digests not at all


class Columns(NamedTuple):
    """What the database keeps of the members of one dataset, in the order of their names."""

    paths: bytes
    digests: bytes
    sizes: bytes
    kinds: bytes


class MemberList:
    """The members of a dataset, sorted by name as UTF-8."""

    def __init__(self, columns: Columns, count: int) -> None:
        self._columns = columns
        try:
            self._names = zlib.decompress(columns.paths).split(b"\0")[:-1]
        except zlib.error as error:
            raise _damaged() from error
        if len(self._names) != count or len(columns.digests) != count * _DIGEST_BYTES:
            raise _damaged()

    @staticmethod
    def columns_of(components: Sequence[Component]) -> Columns:
        """The columns of components that are sorted by name."""
        sizes = array("Q", (component.size for component in components))
        if byteorder == "big":
            sizes.byteswap()
        return Columns(
            zlib.compress(b"".join(_raw(c.path) + b"\0" for c in components), _LEVEL),
            bytes.fromhex("".join(c.digest for c in components)),
            zlib.compress(sizes.tobytes(), _LEVEL),
            zlib.compress(bytes(_KINDS.index(c.kind) for c in components), _LEVEL),
        )

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Component]:
        sizes = self._sizes()
        kinds = zlib.decompress(self._columns.kinds)
        for index, name in enumerate(self._names):
            yield Component(
                _text(name), self.digest(index).hex(), sizes[index], _KINDS[kinds[index]]
            )

    def size(self, index: int) -> int:
        """The size of one member in bytes."""
        return self._sizes()[index]

    def digest(self, index: int) -> bytes:
        """The digest of one member, raw."""
        return self._columns.digests[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES]

    def index(self, path: str) -> int | None:
        """Where a member of this name stands; None when there is none."""
        name = _raw(path)
        index = bisect_left(self._names, name)
        return index if index < len(self) and self._names[index] == name else None

    def _sizes(self) -> array[int]:
        sizes = array("Q", zlib.decompress(self._columns.sizes))
        if byteorder == "big":
            sizes.byteswap()
        return sizes

    def indexes_of(self, digest: bytes) -> Iterator[int]:
        """Where members with these bytes stand."""
        start = 0
        while (found := self._columns.digests.find(digest, start)) >= 0:
            if found % _DIGEST_BYTES == 0:
                yield found // _DIGEST_BYTES
            start = found + 1

    def path(self, index: int) -> str:
        """The name of one member."""
        return _text(self._names[index])

    def pairs(self, bitmap: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """(raw name, raw digest) of the members in `bitmap`, of all when it is None."""
        digests = self._columns.digests
        for index in range(len(self)) if bitmap is None else _set_bits(bitmap, len(self)):
            offset = index * _DIGEST_BYTES
            yield self._names[index], digests[offset : offset + _DIGEST_BYTES]


def bitmap_of(components: Sequence[Component], touched: frozenset[str] | None) -> bytes | None:
    """One bit for each member that was touched, compressed; None when all were."""
    if touched is None:
        return None
    bits = bytearray((len(components) + 7) // 8)
    for index, component in enumerate(components):
        if component.path in touched:
            bits[index // 8] |= 1 << index % 8
    return zlib.compress(bytes(bits), _LEVEL)


def is_set(bitmap: bytes | None, index: int) -> bool:
    """Whether a member is in a bitmap."""
    if bitmap is None:
        return True
    return bool(zlib.decompress(bitmap)[index // 8] >> index % 8 & 1)


def _set_bits(bitmap: bytes, count: int) -> Iterable[int]:
    bits = zlib.decompress(bitmap)
    return (index for index in range(count) if bits[index // 8] >> index % 8 & 1)


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _damaged() -> DatabaseError:
    return DatabaseError("the list of a dataset's members is damaged; see: roar db check")
