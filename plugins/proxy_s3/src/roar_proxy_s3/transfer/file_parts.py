"""Stretches of a local file as bodies of requests, with the checksums that go with them."""

from __future__ import annotations

import binascii
import hashlib
import io
import os
from base64 import b64encode

# Whoever reads for a checksum asks for a mebibyte; several parts at once would hold many of them.
_BLOCK = 1 << 18


class FilePart(io.RawIOBase):
    """`size` bytes of an open file from `start` on, as a file. Several can be read at once."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor = descriptor
        self._start = start
        self._size = size
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, perhaps fewer than `size`; none at the end of the part or the file."""
        left = min(self._size - self._at, _BLOCK)
        wanted = left if size < 0 else min(size, left)
        found = os.pread(self._descriptor, wanted, self._start + self._at)
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
        return b64encode(value.to_bytes(4, "big")).decode()


def sha256(content: bytes) -> str:
    """The digest of a whole file as S3 writes it."""
    return b64encode(hashlib.sha256(content).digest()).decode()
