"""Reading a journal that somebody may be writing: whole records alone, and none twice.

Room that a writer has reserved and not filled yet is looked at again the next time.
"""

from __future__ import annotations

import os
import struct

from . import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# The cluster's store copies a value a few times, in a process that all of the cluster needs.
_PIECE = 512 << 10
_MAGIC = struct.pack("=I", records.RECORD_MAGIC)
# The beginning of a record's head.
_SIZE = struct.Struct("=4sI")
_WORD = struct.Struct("=Q")


class Reading:
    """The records of one journal that were not given before."""

    def __init__(self, path: str, start: int = 0) -> None:
        """`start`: what lies before this offset was given already, by whomever."""
        self._path = path
        self._at = start
        self._holes: list[tuple[int, int]] = []
        self._lost = -1

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Give (offset, bytes) of what has been written since; raises OSError as reading does."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            page = bytearray(os.pread(descriptor, records.HEADER_SIZE, 0))
            if len(page) < records.HEADER_SIZE or not page.startswith(records.MAGIC):
                return
            first, tail, lost, allocated = (
                _WORD.unpack_from(page, word)[0]
                for word in (
                    *(records.RECORDS_OFFSET, records.TAIL),
                    *(records.LOST, records.ALLOCATED),
                )
            )
            tail = min(tail, allocated, os.fstat(descriptor).st_size)
            spans = list(self._spans(descriptor, max(self._at, first), tail))
            for start, end in spans:
                # A second time: machines that reorder may have shown a record's magic before it.
                yield from _cut(os.pread(descriptor, end - start, start), start)
            if spans or lost != self._lost:
                self._lost = lost
                _WORD.pack_into(page, records.TAIL, max(self._at, first))
                yield 0, bytes(page)
        finally:
            os.close(descriptor)

    def _spans(self, descriptor: int, start: int, tail: int) -> Iterator[tuple[int, int]]:
        """Where records stand back to back that were not there the last time."""
        looked, self._holes = self._holes, []
        while start < tail:
            # No record lies across the boundary of a chunk.
            end = min(tail, (start // records.CHUNK + 1) * records.CHUNK)
            looked.append((start, end))
            start = self._at = end
        for first, last in looked:
            data = os.pread(descriptor, last - first, first)
            for position, behind, is_filled in _parts(data, first):
                if is_filled:
                    yield first + position, first + behind
                elif behind - position >= records.HEAD.size:
                    self._holes.append((first + position, first + behind))


def _parts(data: bytes, base: int) -> Iterator[tuple[int, int, bool]]:
    """Parts of `data`, which begins at the offset `base`, with records and without, in turns."""
    position = 0
    while position < len(data):
        behind = _run_end(data, position)
        if behind > position:
            yield position, behind, True
        position = _next_record(data, behind, base) if behind < len(data) else behind
        if position > behind:
            yield behind, position, False


def _cut(data: bytes, base: int) -> Iterator[tuple[int, bytes]]:
    """Records that stand back to back, in pieces of no more than the store should be given."""
    start = position = 0
    while start < len(data):
        while position < len(data):
            size = _SIZE.unpack_from(data, position)[1]
            if position > start and position + size - start > _PIECE:
                break
            position += size
        yield base + start, data[start:position]
        start = position


def _run_end(data: bytes, position: int) -> int:
    """Where the records end that stand back to back from `position`."""
    unpack, last = _SIZE.unpack_from, len(data) - records.HEAD.size
    while position <= last:
        magic, size = unpack(data, position)
        if magic != _MAGIC or size < records.HEAD.size or size % 8:
            break
        if position + size > len(data):
            break
        position += size
    return position


def _next_record(data: bytes, position: int, base: int) -> int:
    """The next offset in `data` at which a record stands, else its end."""
    while (position := data.find(_MAGIC, position + 1)) >= 0:
        if (base + position) % 8 == 0 and _is_record(data, position, base):
            return position
    return len(data)


def gapless(path: str) -> int:
    """Up to which offset a journal holds records without a gap; 0 when it has no first page."""
    with open(path, "rb") as source:
        page = source.read(records.HEADER_SIZE)
        if len(page) < records.HEADER_SIZE or not page.startswith(records.MAGIC):
            return 0
        at: int = _WORD.unpack_from(page, records.RECORDS_OFFSET)[0]
        while True:
            source.seek(at)
            room = records.CHUNK - at % records.CHUNK
            behind = at + _run_end(source.read(room), 0)
            if room - (behind - at) >= records.HEAD.size:
                return behind
            at += room


def each_in(path: str) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    """The kind and the strings of every record in a journal."""
    for _, data in Reading(path).pieces():
        position = 0 if data[:4] == _MAGIC else len(data)
        while position < len(data):
            _, size, _, kind, prints, texts, *_ = records.HEAD.unpack_from(data, position)
            at = position + records.HEAD.size + prints * records.FINGERPRINT.size
            found = []
            for _ in range(texts):
                end = at + 4 + records.LENGTH.unpack_from(data, at)[0]
                found.append(data[at + 4 : end])
                at = end
            yield kind, tuple(found)
            position += size


def _is_record(data: bytes, position: int, base: int) -> bool:
    """Whether what begins like a record at `position` is one: it knows where it stands."""
    if position + records.HEAD.size > len(data):
        return False
    _, size, check, kind, prints, texts, pid, *_ = records.HEAD.unpack_from(data, position)
    return bool(check == records.check(base + position, size, kind, prints, texts, pid))
