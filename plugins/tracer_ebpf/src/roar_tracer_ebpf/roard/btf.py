"""Where the members of the running kernel's structures lie, read from its own type information.

The format is Documentation/bpf/btf.rst. Pure: bytes in, offsets out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

VMLINUX = "/sys/kernel/btf/vmlinux"

_HEADER = struct.Struct("=HBBIIIII")
_TYPE = struct.Struct("=III")
_MEMBER = struct.Struct("=III")
_STRUCT, _UNION, _TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _TYPE_TAG = 4, 5, 8, 9, 10, 11, 18
# Bytes behind a type's own twelve, by kind: fixed, or for each of its members.
_FIXED = {1: 4, 3: 12, 14: 4, 17: 4}
_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
_QUALIFIERS = (_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _TYPE_TAG)


class BtfError(Exception):
    """The type information cannot be read, or lacks what is needed."""


def member_offsets(data: bytes, wanted: Iterable[str]) -> dict[str, dict[str, int]]:
    """Byte offsets of all members of the structures `wanted`, by structure and member name.

    Members of anonymous structures and unions count as the structure's own. A structure that does
    not exist is left out. Raises BtfError when `data` is no BTF.
    """
    try:
        return _member_offsets(data, set(wanted))
    except (struct.error, IndexError) as error:
        raise BtfError(f"unreadable type information: {error}") from error


def _member_offsets(data: bytes, wanted: set[str]) -> dict[str, dict[str, int]]:
    magic, _, _, header_size, type_at, type_size, text_at, _ = _HEADER.unpack_from(data)
    if magic != 0xEB9F:
        raise BtfError("not BTF in this machine's byte order")
    text = header_size + text_at
    position, end = header_size + type_at, header_size + type_at + type_size
    names = {data.find(b"\0" + name.encode() + b"\0", text) + 1 - text: name for name in wanted}
    places = [0]
    found: dict[str, int] = {}
    unpack = _TYPE.unpack_from
    while position < end:
        places.append(position)
        name, info, _ = unpack(data, position)
        kind = info >> 24 & 31
        if name in names and kind == _STRUCT:
            found.setdefault(names[name], position)
        position += 12 + _FIXED.get(kind, 0) + _EACH.get(kind, 0) * (info & 0xFFFF)
    missing = wanted - found.keys()
    if missing:
        # The linker may share the end of a longer name, so look at every spelling.
        for place in places[1:]:
            name, info, _ = unpack(data, place)
            if info >> 24 & 31 == _STRUCT and name:
                spelt = _text(data, text + name)
                if spelt in missing:
                    found.setdefault(spelt, place)
    return {name: dict(_members(data, text, places, place)) for name, place in found.items()}


def _members(
    data: bytes, text: int, places: list[int], place: int, base: int = 0
) -> Iterable[tuple[str, int]]:
    _, info, _ = _TYPE.unpack_from(data, place)
    for index in range(info & 0xFFFF):
        name, inner, bits = _MEMBER.unpack_from(data, place + 12 + 12 * index)
        if info >> 31:
            bits &= 0xFFFFFF
        at = base + bits // 8
        if name:
            yield _text(data, text + name), at
            continue
        while True:
            _, inner_info, target = _TYPE.unpack_from(data, places[inner])
            kind = inner_info >> 24 & 31
            if kind not in _QUALIFIERS:
                break
            inner = target
        if kind in (_STRUCT, _UNION):
            yield from _members(data, text, places, places[inner], at)


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()
