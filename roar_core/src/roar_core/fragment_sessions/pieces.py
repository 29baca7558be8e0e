"""A document in pieces that fit into batches, in whatever order, size and number they arrive.

A piece begins with the SHA-256 of the whole, where in it the piece lies, and how long the whole is.
All of that is encrypted with it, so that no number that a registry gives to a batch matters. Pieces
sent again, of another size even, are no harm. Pure.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

_HEAD = struct.Struct(">32sQQ")
HEAD_BYTES = _HEAD.size
# One task with some 100,000 files. What claims to be more is not taken.
WHOLE_MAX = 64 << 20


class Piece(NamedTuple):
    """Some bytes of the whole whose SHA-256 is `digest`, from `offset` on, of `total` bytes."""

    digest: bytes
    offset: int
    total: int
    content: bytes


def packed(document: Any) -> bytes:
    """A JSON document as it is sent. Raises ValueError when it is too large."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode("ascii")
    if len(text) > WHOLE_MAX:
        raise ValueError(f"it has more than {WHOLE_MAX >> 20} MiB")
    return zlib.compress(text, 6)


def piece_at(whole: bytes, offset: int, size: int) -> bytes:
    """The piece of at most `size` bytes that begins at `offset`."""
    head = _HEAD.pack(hashlib.sha256(whole).digest(), offset, len(whole))
    return head + whole[offset : offset + size]


def read_piece(data: bytes) -> Piece:
    """Raises ValueError for what is no piece."""
    if len(data) <= HEAD_BYTES:
        raise ValueError("too short for a piece")
    digest, offset, total = _HEAD.unpack(data[:HEAD_BYTES])
    piece = Piece(digest, offset, total, data[HEAD_BYTES:])
    if piece.offset + len(piece.content) > piece.total or piece.total > WHOLE_MAX:
        raise ValueError("a piece that goes beyond its whole")
    return piece


class Wholes:
    """Documents put together from pieces."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[bytes, int], dict[int, bytes]] = {}

    def add(self, piece: Piece) -> None:
        """Take a piece; of two that begin at the same place the longer one."""
        mine = self._pieces.setdefault((piece.digest, piece.total), {})
        if len(piece.content) > len(mine.get(piece.offset, b"")):
            mine[piece.offset] = piece.content

    def documents(self) -> Iterator[tuple[str, Any]]:
        """Name and content of every document, in the order of names; None: it is not all there."""
        for (digest, total), pieces in sorted(self._pieces.items()):
            yield digest.hex(), _document(digest, total, pieces)


def _document(digest: bytes, total: int, pieces: dict[int, bytes]) -> Any:
    whole = bytearray()
    for offset in sorted(pieces):
        if offset > len(whole):
            return None  # a gap
        whole += pieces[offset][len(whole) - offset :]
    if len(whole) != total or hashlib.sha256(whole).digest() != digest:
        return None
    unzip = zlib.decompressobj()
    try:
        text = unzip.decompress(bytes(whole), WHOLE_MAX)
        return json.loads(text) if unzip.eof else None
    except (zlib.error, ValueError, RecursionError):
        return None
