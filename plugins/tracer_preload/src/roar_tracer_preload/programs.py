"""What kind of program the command itself is: what native/elf.c asks of all that it executes later.

The loader is handed our library before any code of ours runs, so here is the last chance to leave
out a program that would complain of it or refuse to start.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

# elf(5), <elf.h>
_ELF64 = b"\x7fELF\x02\x01"
_MACHINES = {"x86_64": 62, "aarch64": 183}
_ET_EXEC = 2
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_DT_NEEDED, _DT_STRTAB, _DT_FLAGS_1 = 1, 5, 0x6FFFFFFB
_DF_1_PIE = 0x08000000
_HEAD = struct.Struct("<16x2H4x8xQ14x2H")  # e_type, e_machine, e_phoff, e_phentsize, e_phnum
_SEGMENT = struct.Struct("<2I6Q")
_LOADERS = (b"ld-linux", b"ld.so", b"ld64.so")
# Sanitizers stop a program in which another library comes before them.
_WANT_TO_BE_FIRST = (b"libasan.so", b"libtsan.so", b"libhwasan.so")
_SCRIPT_DEPTH = 4  # the kernel's own limit on scripts run by scripts

# The library must not get into these: the loader would complain, or the program stop.
KEEP_OUT = frozenset({"foreign_abi", "foreign_libc", "interposer"})
# native/handover.c: what a system-call tracer can go on with.
HANDED_OVER = KEEP_OUT | {"static", "direct_calls"}


def gap_of(path: bytes, depth: int = 0) -> str | None:
    """Why the library cannot see into the program at `path`: a gap's code; None when it can.

    A program that cannot be read is no gap here: its missing START will tell.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    try:
        page = os.pread(descriptor, 4096, 0)
        if page[:2] == b"#!" and depth < _SCRIPT_DEPTH:
            words = page[2:256].split(b"\n", 1)[0].split()
            return gap_of(words[0], depth + 1) if words else None
        return _gap_of_elf(descriptor, page) if page[:4] == _ELF64[:4] else None
    except (OSError, struct.error, OverflowError):
        return None
    finally:
        os.close(descriptor)


def _gap_of_elf(descriptor: int, page: bytes) -> str | None:
    kind, machine, at, size, count = _HEAD.unpack_from(page)
    if page[:6] != _ELF64 or machine != _MACHINES.get(os.uname().machine):
        return "foreign_abi"
    segments = list(_SEGMENT.iter_unpack(os.pread(descriptor, size * min(count, 32), at)))

    def content(wanted: int) -> Iterator[bytes]:
        for found in segments:
            if found[0] == wanted:
                yield os.pread(descriptor, min(found[5], 4096), found[2])

    if any(_has_go_note(notes) for notes in content(_PT_NOTE)):
        return "direct_calls"
    entries = [entry for part in content(_PT_DYNAMIC) for entry in _entries(part)]
    interpreter = next(content(_PT_INTERP), None)
    if interpreter is None:
        is_pie = any(tag == _DT_FLAGS_1 and value & _DF_1_PIE for tag, value in entries)
        return "static" if kind == _ET_EXEC or is_pie else None
    if not interpreter.rpartition(b"/")[2].startswith(_LOADERS):
        return "foreign_libc"
    names = next((_offset(segments, value) for tag, value in entries if tag == _DT_STRTAB), 0)
    for tag, value in entries:
        name = os.pread(descriptor, 16, names + value) if tag == _DT_NEEDED and names else b""
        if name.startswith(_WANT_TO_BE_FIRST):
            return "interposer"
    return None


def _entries(dynamic: bytes) -> Iterator[tuple[int, int]]:
    whole = len(dynamic) // 16 * 16
    return struct.iter_unpack("<2Q", dynamic[:whole])


def _offset(segments: list[tuple[int, ...]], address: int) -> int:
    """Where in the file the byte at an address lies; 0 when it is not in the file."""
    for kind, _, offset, start, _, size, _, _ in segments:
        if kind == _PT_LOAD and start <= address < start + size:
            return address - start + offset
    return 0


def _has_go_note(notes: bytes) -> bool:
    """Whether a note is named as Go's linker names its own (cmd/link: ELFNOTE_GO_NAME)."""
    at = 0
    while at + 16 <= len(notes):
        name_size, size, _ = struct.unpack_from("<3I", notes, at)
        if name_size == 4 and notes[at + 12 : at + 16] == b"Go\0\0":
            return True
        at += 12 + (name_size + 3) // 4 * 4 + (size + 3) // 4 * 4
    return False
