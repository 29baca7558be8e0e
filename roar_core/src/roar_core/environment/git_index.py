"""Read git's index: which files a checkout tracks, and really compares.

`git ls-files` would do, but after the run the index may be another one; this one is read from a
descriptor opened before the command started, and in less time than a process takes. The format is
gitformat-index(5), versions 2 to 4.
"""

from __future__ import annotations

import struct

_STAT_BYTES = 40
_REGULAR = 0o100000
_ASSUME_VALID = 0x8000
_EXTENDED = 0x4000
_STAGE = 0x3000
_SKIP_WORKTREE = 0x4000


class UnreadableIndex(ValueError):
    """The index is damaged, or of a form (split, a later version) that only git itself reads."""


def compared_files(index: bytes, wanted: set[bytes], hash_bytes: int = 20) -> set[bytes]:
    """Those of `wanted` (paths from the top level) that are tracked regular files.

    Left out are files that `git status` does not compare, because they are marked assume-unchanged
    or skip-worktree, and unmerged ones. Linear in the number of entries. Raises `UnreadableIndex`.
    """
    try:
        return _compared(index, wanted, hash_bytes)
    except (struct.error, IndexError, ValueError) as error:
        raise UnreadableIndex(str(error)) from error


def _compared(index: bytes, wanted: set[bytes], hash_bytes: int) -> set[bytes]:
    signature, version, count = struct.unpack_from(">4sII", index)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError(f"not an index of version 2 to 4: {signature!r} {version}")
    found: set[bytes] = set()
    mode_and_flags = struct.Struct(f">I{_STAT_BYTES - 28 + hash_bytes}xH").unpack_from
    fixed = _STAT_BYTES + hash_bytes + 2
    at = 12
    name = b""
    find = index.index
    for _ in range(count):
        mode, flags = mode_and_flags(index, at + 24)
        start = at + fixed
        skipped = flags & (_ASSUME_VALID | _STAGE)
        if flags & _EXTENDED:
            skipped |= (index[start] << 8) & _SKIP_WORKTREE
            start += 2
        if version == 4:
            dropped, start = _varint(index, start)
            end = find(b"\0", start)
            name = name[: len(name) - dropped] + index[start:end]
            at = end + 1
        else:
            end = find(b"\0", start)
            name = index[start:end]
            at += (end - at + 8) & ~7
        if name in wanted and not skipped and mode & 0o170000 == _REGULAR:
            found.add(name)
    _refuse_required_extensions(index, at, hash_bytes)
    return found


def _refuse_required_extensions(index: bytes, at: int, hash_bytes: int) -> None:
    """Raise ValueError when an extension changes what the entries mean (its name is lower case).

    `sdir`, a sparse index, only adds entries for whole directories, which are no regular files.
    """
    while at < len(index) - hash_bytes:
        name, size = struct.unpack_from(">4sI", index, at)
        if not name[:1].isupper() and name != b"sdir":
            raise ValueError(f"extension {name!r}")
        at += 8 + size


def _varint(index: bytes, at: int) -> tuple[int, int]:
    """The offset-encoded number at `at` (as in pack files' ofs-delta), and where it ends."""
    byte = index[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = index[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1
