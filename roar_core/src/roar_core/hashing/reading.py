"""A file's bytes in order, in bounded memory, and read ahead of the hashing when the file is large.

Reading with `preadv` into two buffers per reader, not mmap: a file truncated while mapped kills the
process that looks at it with SIGBUS. On two cores reading ahead is as fast as `b3sum`, which maps,
or faster when the disk is what is waited for; of a file in memory the copy costs up to 0.08 s a GiB
(benchmarks/hashing.py).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from queue import SimpleQueue

from roar_core.hashing.holes import next_data
from roar_core.hashing.threads import core_count

# 2 MiB stays in a core's cache between the read and the hash; 8 and 16 MiB measured slower.
PIECE_BYTES = 2 << 20
_ZEROS = memoryview(bytes(PIECE_BYTES))


class TooShortError(Exception):
    """The file ended before the size it was said to have, or went on beyond it."""


def whole(fd: int, size: int) -> bytes:
    """The content of a small file; raises `TooShortError` when that is not `size` bytes."""
    # One byte more than there should be: the usual file takes one read, and none to see its end.
    data = os.read(fd, size + 1)
    while 0 < len(data) < size:
        more = os.read(fd, size + 1 - len(data))
        if not more:
            break
        data += more
    if len(data) != size:
        raise TooShortError
    return data


def in_turn(fd: int, size: int) -> Iterator[memoryview]:
    """Yield the next `size` bytes of the descriptor; a piece is valid until the next one."""
    buffer = memoryview(bytearray(min(size, PIECE_BYTES)))
    left = size
    while left:
        count = os.readv(fd, [buffer[:left]])
        if not count:
            raise TooShortError
        yield buffer[:count]
        left -= count


@contextlib.contextmanager
def read_ahead(fd: int, size: int, *, skip_holes: bool = False) -> Iterator[Iterator[memoryview]]:
    """Threads that read while the caller hashes; gives the pieces in order, valid until the next.

    `skip_holes` takes pieces that lie in a hole as zeros without reading them. The pieces raise
    `TooShortError` or the OSError of a read. No thread touches `fd` after the context has ended.
    """
    readers: list[_Reader] = []
    count = _reader_count()
    if hasattr(os, "posix_fadvise"):
        # A wider window of the kernel's own: a quarter less time for a file not in memory.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    try:
        for index in range(count):
            offsets = range(index * PIECE_BYTES, size, count * PIECE_BYTES)
            readers.append(_Reader(fd, size, offsets, skip_holes))
        yield _in_order(readers, -(-size // PIECE_BYTES))
    finally:
        for reader in readers:
            reader.stop()


def _in_order(readers: list[_Reader], count: int) -> Iterator[memoryview]:
    for number in range(count):
        yield from readers[number % len(readers)].take()


def _reader_count() -> int:
    # One thread copies about 10 GB/s out of the page cache and a core hashes about 5: a quarter of
    # the cores keeps the others fed.
    return max(1, min(4, core_count() // 4))


class _Reader:
    """A thread that reads every n-th piece, filling one buffer while the other is hashed."""

    def __init__(self, fd: int, size: int, offsets: range, skip_holes: bool) -> None:
        self._fd = fd
        self._size = size
        self._offsets = offsets
        self._skip_holes = skip_holes
        self._data_from = 0
        self._stopped = False
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, memoryview] | Exception] = SimpleQueue()
        for _ in range(2):
            self._free.put(memoryview(bytearray(PIECE_BYTES)))
        self._thread = threading.Thread(target=self._run, name="roar-read", daemon=True)
        self._thread.start()

    def take(self) -> Iterator[memoryview]:
        """Yield the next piece, and have its buffer back when the consumer moves on."""
        piece = self._full.get()
        if isinstance(piece, Exception):
            raise piece
        buffer, view = piece
        yield view
        self._free.put(buffer)

    def stop(self) -> None:
        """Return once the thread has ended, at the latest when the read it is in returns."""
        self._stopped = True
        self._free.put(_ZEROS)
        self._thread.join()

    def _run(self) -> None:
        try:
            for offset in self._offsets:
                length = min(PIECE_BYTES, self._size - offset)
                buffer = self._free.get()
                if self._stopped:
                    return
                if self._skip_holes and self._is_hole(offset, length):
                    # The buffer goes along unused: it is what bounds how far reading runs ahead.
                    self._full.put((buffer, _ZEROS[:length]))
                else:
                    self._fill(buffer[:length], offset)
                    self._full.put((buffer, buffer[:length]))
        except (OSError, TooShortError) as problem:
            self._full.put(problem)

    def _is_hole(self, offset: int, length: int) -> bool:
        if offset >= self._data_from:
            self._data_from = next_data(self._fd, offset, self._size)
        return offset + length <= self._data_from

    def _fill(self, view: memoryview, offset: int) -> None:
        while len(view):
            count = os.preadv(self._fd, [view], offset)
            if not count:
                raise TooShortError
            view = view[count:]
            offset += count
