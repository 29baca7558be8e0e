"""Write the container of a snapshot: a tar file of which equal contents give equal bytes.

Members come in order of name; owner, group and times are zero and modes are 0644, 0755 or (for a
symbolic link) 0777, as git keeps them. Names are raw bytes; those over 100 bytes use GNU's
long-name members (tar(5), "GNU tar Archives"), so `tar -xf` and `tarfile` read it. Written by hand
because importing `tarfile` takes 12 ms, before every run in a dirty checkout.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_BLOCK = 512
_REGULAR, _SYMLINK, _LONG_LINK, _LONG_NAME = b"0", b"2", b"K", b"L"
_MOST_IN_HEADER = 100


class Member(NamedTuple):
    """One file: for a symbolic link `content` is its target."""

    name: bytes
    content: bytes
    is_executable: bool = False
    is_symlink: bool = False


def tar_of(members: Iterable[Member]) -> bytes:
    """The archive of `members`, whose names are distinct."""
    parts: list[bytes] = []
    for member in sorted(members):
        target = member.content if member.is_symlink else b""
        if len(target) > _MOST_IN_HEADER:
            parts += _record(b"././@LongLink", _LONG_LINK, 0o644, target + b"\0")
        if len(member.name) > _MOST_IN_HEADER:
            parts += _record(b"././@LongLink", _LONG_NAME, 0o644, member.name + b"\0")
        if member.is_symlink:
            parts += _record(member.name, _SYMLINK, 0o777, b"", target)
        else:
            mode = 0o755 if member.is_executable else 0o644
            parts += _record(member.name, _REGULAR, mode, member.content)
    parts.append(bytes(2 * _BLOCK))
    return b"".join(parts)


def _record(
    name: bytes, kind: bytes, mode: int, content: bytes, target: bytes = b""
) -> tuple[bytes, bytes, bytes]:
    """Header, content and padding of one member: tar(5), `struct header_gnu_tar`."""
    fields = (
        name[:_MOST_IN_HEADER].ljust(100, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0%07o\0" % (0, 0),
        b"%011o\0" % len(content),
        b"%011o\0" % 0,
        b" " * 8,
        kind,
        target[:_MOST_IN_HEADER].ljust(100, b"\0"),
        b"ustar  \0",
    )
    header = b"".join(fields).ljust(_BLOCK, b"\0")
    # The checksum counts its own eight bytes as blanks.
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    return header, content, bytes(-len(content) % _BLOCK)
