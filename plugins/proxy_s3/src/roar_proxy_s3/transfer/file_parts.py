"""Stretches of a local file as bodies of requests, with the checksums that go with them."""

from __future__ import annotations

import binascii
import hashlib
import io
import os
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PART_SIZE = 8 << 20
# Of all uploads together: more connections make none of them quicker, and each holds a part.
_AT_ONCE = 20
_BLOCK = 1 << 18

_room = threading.BoundedSemaphore(_AT_ONCE)
# Of `PART_SIZE` each. New memory for each part costs as much as its checksum, in page faults.
_free: list[bytearray] = []


class ShorterError(Exception):
    """The file ends before the stretch does."""


@contextmanager
def part_of(descriptor: int, start: int, size: int) -> Iterator[tuple[bytearray | FilePart, str]]:
    """Lend `size` bytes of an open file from `start` on as a body, with their CRC-32.

    A part of ordinary size is read once, whole: its checksum, its signature and what is sent are of
    these very bytes, and it goes in one call, where a file would go by 16 KiB. Waits while too many
    are lent. Raises ShorterError.
    """
    with _room:
        if size > PART_SIZE:
            part = FilePart(descriptor, start, size)
            yield part, part.crc32()
            return
        content = _memory(size)
        try:
            _fill(content, descriptor, start)
            yield content, _written(binascii.crc32(content))
        finally:
            if size == PART_SIZE:
                _free.append(content)


class FilePart(io.RawIOBase):
    """`size` bytes of an open file from `start` on, as a file. Several can be read at once."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor = descriptor
        self._start = start
        self._size = size
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, perhaps fewer than `size`; none at the end of the part."""
        left = min(self._size - self._at, _BLOCK)
        wanted = left if size < 0 else min(size, left)
        found = os.pread(self._descriptor, wanted, self._start + self._at)
        if wanted and not found:
            raise ShorterError
        self._at += len(found)
        return found

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def __len__(self) -> int:
        return self._size

    def crc32(self) -> str:
        """The checksum of the part as S3 writes it; also what is sent anew is measured with it."""
        value = 0
        self.seek(0)
        while block := self.read(_BLOCK):
            value = binascii.crc32(block, value)
        self.seek(0)
        return _written(value)


def sha256(content: bytes) -> str:
    """The digest of a whole file as S3 writes it."""
    return b64encode(hashlib.sha256(content).digest()).decode()


def _memory(size: int) -> bytearray:
    if size == PART_SIZE:
        with suppress(IndexError):
            return _free.pop()
    return bytearray(size)


def _fill(content: bytearray, descriptor: int, start: int) -> None:
    """Read as many bytes as there is room for."""
    done = 0
    with memoryview(content) as view:
        while done < len(content):
            count = os.preadv(descriptor, [view[done:]], start + done)
            if not count:
                raise ShorterError
            done += count


def _written(crc: int) -> str:
    return b64encode(crc.to_bytes(4, "big")).decode()
