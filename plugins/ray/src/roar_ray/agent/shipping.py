"""What of a node's journals is sent to where the driver can fetch it, in pieces.

A piece is told by its journal, the *stream*, and its offset there: laid down twice, or in any
order, it makes the same file. Only whole records are sent; room that a writer has reserved and not
filled yet is looked at again the next time. The first page goes last, with the end of what was sent.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque

from . import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NamedTuple, Protocol

    class KeyValueStore(Protocol):
        """Where pieces go: the cluster's internal key-value store."""

        def put(self, key: bytes, value: bytes) -> None: ...
        def keys(self, prefix: bytes) -> list[bytes]: ...

    class Place(NamedTuple):
        """What a key says of its piece; `size` in bytes before compression."""

        node: str
        stream: str
        offset: int
        size: int

NAMESPACE = b"roar"
# The store copies a value a few times, in a process that all of the cluster needs.
_PIECE = 512 << 10
_MAGIC = struct.Struct("=I").pack(records.RECORD_MAGIC)
_HEAD = struct.Struct("=II")
_WORD = struct.Struct("=Q")


def prefix_of(run: str) -> bytes:
    """What the keys of a run begin with."""
    return f"roar/{run}/".encode("ascii")


def key_of(run: str, node: str, stream: str, offset: int, size: int) -> bytes:
    """Where a piece stands. Its size is in the name, so that a list of keys tells of room."""
    return prefix_of(run) + f"{node}/{stream}/{offset:x}/{size:x}".encode("ascii")


def place_of(key: bytes) -> Place:
    """What a key says; ValueError when it is none of ours."""
    _, _, node, stream, offset, size = key.decode("ascii").split("/")
    return node, stream, int(offset, 16), int(size, 16)  # type: ignore[return-value]


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
                for offset in range(start, end, _PIECE):
                    yield offset, os.pread(descriptor, min(_PIECE, end - offset), offset)
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
                elif behind - position >= records.HEAD_SIZE:
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


def _run_end(data: bytes, position: int) -> int:
    """Where the records end that stand back to back from `position`."""
    unpack, last = _HEAD.unpack_from, len(data) - records.HEAD_SIZE
    while position <= last:
        magic, size = unpack(data, position)
        if magic != records.RECORD_MAGIC or size < records.HEAD_SIZE or size % 8:
            break
        if position + size > len(data):
            break
        position += size
    return position


def _next_record(data: bytes, position: int, base: int) -> int:
    """The next offset in `data` at which a record stands, else its end."""
    while (position := data.find(_MAGIC, position + 1)) >= 0:
        if (base + position) % 8 == 0 and records.is_record(data, position, base):
            return position
    return len(data)


class Shipping:
    """Sends what is new in a process's own journal, as often as it is told to.

    `is_held_back`: for want of room in the store something stayed in the journal alone.
    """

    def __init__(
        self, path: str, run: str, node: str, store: KeyValueStore, room_bytes: int
    ) -> None:
        stream = os.path.basename(path).removesuffix(".jnl")
        self.is_held_back = False
        self._where = (run, node, stream)
        self._reading = Reading(path)
        self._store = store
        self._room = room_bytes
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._unsure = 0

    def ship(self) -> None:
        """Send what has come since the last time; what the store raises, this raises."""
        self._waiting.extend(self._reading.pieces())
        while self._waiting:
            offset, data = self._waiting[0]
            self.is_held_back = not self._has_room_for(len(data))
            if self.is_held_back:
                return
            key = key_of(*self._where, offset, len(data))
            self._store.put(key, zlib.compress(data, 1))
            self._waiting.popleft()

    def _has_room_for(self, size: int) -> bool:
        """Whether the run's pieces leave room; asked of the store after each 1/32 of all room."""
        self._unsure += size
        if self._unsure < self._room // 32:
            return True
        keys = self._store.keys(prefix_of(self._where[0]))
        if sum(int(key.rpartition(b"/")[2], 16) for key in keys) + size > self._room:
            return False
        self._unsure = 0
        return True



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
            if room - (behind - at) >= records.HEAD_SIZE:
                return behind
            at += room
