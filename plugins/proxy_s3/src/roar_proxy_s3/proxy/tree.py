"""BLAKE3 of an input whose parts come in any order: parts hold what the whole's digest needs.

A part keeps its bytes as nodes of the whole's tree, and raw only what does not fill a chunk of
1 KiB at either end, so it takes a few hundred bytes of memory however long it is. Parts that meet
are joined, whatever their lengths.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

CHUNK = 1024
_MOST_CHUNKS = 64
_SPAN = _MOST_CHUNKS * CHUNK
_LIBRARY = Path(__file__).resolve().parent.parent / "_native" / "libroar_blake3_tree.so"
_native = ctypes.CDLL(str(_LIBRARY)) if _LIBRARY.exists() else None
if _native is not None:
    for _name, *_types in (
        (
            "roar_node",
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_char_p),
        ),
        ("roar_chunk", ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_char_p),
        ("roar_parent", ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p),
    ):
        _function = getattr(_native, _name)
        _function.argtypes, _function.restype = _types, None


def is_there() -> bool:
    """Whether the compiled library is: without it, parts are not digested."""
    return _native is not None


class _Item(NamedTuple):
    """Neighbouring bytes: a node's value over two others', a chunk's, or None and raw bytes."""

    start: int
    stop: int
    value: bytes | None
    below: bytes


class Part:
    """The bytes of an input from `start` on, as far as they have been given: to `stop`."""

    def __init__(self, start: int) -> None:
        self.start = self.stop = start
        self._items: list[_Item] = []
        self._held, self._bytes_held = list[bytes | memoryview](), 0

    def update(self, piece: bytes) -> None:
        """See the next bytes."""
        at = 0
        if ahead := (self.stop + self._bytes_held) % _SPAN:
            # As far as where a node of the largest size begins; from there nothing is copied.
            at = _SPAN - ahead
            if len(piece) < at:
                self._hold(piece)
                return
            self._hold(memoryview(piece)[:at])
            self._digest()
        end = len(piece) - (len(piece) - at) % _SPAN
        for place in range(at, end, _SPAN):
            self._node(piece, place, _MOST_CHUNKS)
        if end < len(piece):
            self._hold(piece[end:])

    def end(self) -> None:
        """There are no more."""
        self._digest()
        if rest := self._taken():
            self._raw(rest)

    def join(self, after: Part) -> None:
        """Take over the part that begins where this one stops. Both have ended."""
        for item in after._items:
            if item.value is None:
                self._raw(item.below)
            else:
                self._push(item)
        self.stop = after.stop

    def digest(self) -> str | None:
        """The digest of the whole input, when this part is all of it; None otherwise."""
        items = self._items
        if self.start or self.stop != sum(item.stop - item.start for item in items):
            return None
        if self.stop <= CHUNK:
            return blake3(b"".join(item.below for item in items)).hexdigest()
        last = items[-1]
        if len(items) == 1:
            return _parent(last.below, is_root=True).hex()
        value = last.value or _chunk(last.below, last.start // CHUNK)
        for number in range(len(items) - 2, -1, -1):
            left = items[number].value
            if left is None:
                return None
            value = _parent(left + value, is_root=number == 0)
        return value.hex()

    def _hold(self, piece: bytes | memoryview) -> None:
        self._held.append(piece)
        self._bytes_held += len(piece)

    def _taken(self) -> bytes:
        """What is held, and then is no longer."""
        taken = b"".join(self._held)
        self._held.clear()
        self._bytes_held = 0
        return taken

    def _digest(self) -> None:
        """Make nodes of the whole chunks that are held."""
        held, at = self._taken(), 0
        if self.stop % CHUNK:
            at = min(len(held), CHUNK - self.stop % CHUNK)
            self._raw(held[:at])
        while (left := (len(held) - at) // CHUNK) > 0:
            chunk = self.stop // CHUNK
            count = min(_MOST_CHUNKS, chunk & -chunk or _MOST_CHUNKS, 1 << left.bit_length() - 1)
            if count == 1:
                self._raw(held[at : at + CHUNK])
            else:
                self._node(held, at, count)
            at += count * CHUNK
        if at < len(held):
            self._hold(held[at:])

    def _node(self, piece: bytes, at: int, count: int) -> None:
        """Append the node over so many chunks."""
        stop = self.stop + count * CHUNK
        self._push(_Item(self.stop, stop, *_node(piece, at, count, self.stop // CHUNK)))

    def _raw(self, piece: bytes) -> None:
        """Append bytes within one chunk."""
        start, stop = self.stop, self.stop + len(piece)
        if self._items and self._items[-1].value is None and start % CHUNK:
            last = self._items.pop()
            start, piece = last.start, last.below + piece
        if len(piece) < CHUNK:
            self._items.append(_Item(start, stop, None, piece))
            self.stop = stop
        else:
            self._push(_Item(start, stop, _chunk(piece, start // CHUNK), piece))

    def _push(self, item: _Item) -> None:
        """Append a node, with its sibling if that is there."""
        items = self._items
        while items and (left := items[-1]).value is not None and item.value is not None:
            size = item.stop - item.start
            if left.stop - left.start != size or left.start % (2 * size):
                break
            items.pop()
            below = left.value + item.value
            item = _Item(left.start, item.stop, _parent(below, is_root=False), below)
        items.append(item)
        self.stop = item.stop


# One thread digests, and takes what is in here at once.
_out = ctypes.create_string_buffer(96)


def _node(piece: bytes, at: int, count: int, chunk: int) -> tuple[bytes, bytes]:
    """The value of the node over so many chunks, and the two below it."""
    assert _native is not None
    _native.roar_node(piece, at, count, chunk, _out)
    made = _out.raw
    return made[64:], made[:64]


def _chunk(piece: bytes, chunk: int) -> bytes:
    assert _native is not None
    _native.roar_chunk(piece, len(piece), chunk, _out)
    return _out.raw[:32]


def _parent(below: bytes, *, is_root: bool) -> bytes:
    assert _native is not None
    _native.roar_parent(below, is_root, _out)
    return _out.raw[:32]
