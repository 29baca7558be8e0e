"""The append-only logs of W&B and SwanLab: LevelDB's log format, with protobuf messages inside.

    file    = 7 bytes: a tag of four (`:W&B`, `:SWL`), two of magic, one of version; then blocks
    block   = 32,768 bytes (the first one 7 less): chunks; 6 bytes or less at its end are filler
    chunk   = checksum (4 bytes), length (2, little endian), kind (1), payload
    kind    = 1 whole record, 2 first, 3 middle, 4 last part of one

https://github.com/google/leveldb/blob/main/doc/log_format.md and
https://protobuf.dev/programming-guides/encoding. Checksums are not looked at: nothing of value
hangs on a record, and what makes no sense ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator

_HEADER = 7
_CHUNK_HEADER = 7
_BLOCK = 32768
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_BYTES = 2

Message = dict[int, bytes]


def records(content: bytes, tag: bytes) -> Iterator[bytes]:
    """The records of a log that begins with `tag`; ends where `content` does, or its sense."""
    if not content.startswith(tag):
        return
    at, parts = _HEADER, b""
    while True:
        left = _BLOCK - at % _BLOCK
        if left < _CHUNK_HEADER:
            at += left
            continue
        header = content[at : at + _CHUNK_HEADER]
        if len(header) < _CHUNK_HEADER:
            return
        length, kind = int.from_bytes(header[4:6], "little"), header[6]
        at += _CHUNK_HEADER
        payload = content[at : at + length]
        if len(payload) < length or length > left - _CHUNK_HEADER:
            return
        at += length
        if kind in (_WHOLE, _FIRST):
            parts = payload
        elif kind in (_MIDDLE, _LAST):
            parts += payload
        else:
            return
        if kind in (_WHOLE, _LAST):
            yield parts


def message(content: bytes) -> Message:
    """The fields of a protobuf message that are texts or messages, by number, the last of each."""
    found: Message = {}
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            _, at = _varint(content, at)
        elif wire == 1:
            at += 8
        elif wire == _BYTES:
            length, at = _varint(content, at)
            if at + length > len(content):
                break
            found[number] = content[at : at + length]
            at += length
        elif wire == 5:
            at += 4
        else:
            break  # groups have been out of use since 2008
    return found


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of at most ten bytes, and where it ends; past the end there are zeros."""
    value = 0
    for shift in range(0, 70, 7):
        byte = content[at] if at < len(content) else 0
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return value, at
