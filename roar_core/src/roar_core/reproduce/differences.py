"""Say what differs between two files whose bytes do, for formats that embed times and addresses.

Nothing is ever unpickled or executed: pickles are read opcode by opcode.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

_MOST_BYTES = 256 << 20
_MOST_SHOWN = 3
_ADDRESS = re.compile(rb"0x[0-9a-fA-F]{6,16}")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?|\b1[5-9]\d{8}(?:\.\d+)?\b")


def differences(new: str, old: str | None) -> list[str]:
    """Sentences about how `new` differs from `old`, most telling first.

    `old` is None when nobody has the recorded bytes any more: then what this format is known to
    embed is named.
    """
    now = _content(new)
    if now is None:
        return []
    kind = _kind(now)
    if old is None:
        known = kind and _EMBEDS.get(kind)
        return [f"the recorded bytes are gone, so it cannot be told how; {known}"] if known else []
    then = _content(old)
    if then is None:
        return []
    if kind is not None and kind == _kind(then):
        found = _READERS[kind](then, now)
        if found:
            return found[: _MOST_SHOWN + 1]
    return _of_bytes(then, now)


def _of_zip(then: bytes, now: bytes) -> list[str]:
    """Zip files: npz, whl, docx, pt … (APPNOTE.TXT 4.4.6: each member has a time)."""
    with zipfile.ZipFile(io.BytesIO(then)) as old, zipfile.ZipFile(io.BytesIO(now)) as new:
        before = {member.filename: member for member in old.infolist()}
        after = {member.filename: member for member in new.infolist()}
        said = _of_names(set(before), set(after))
        both = [name for name in before if name in after]
        contents = [name for name in both if before[name].CRC != after[name].CRC]
        said += [f"member {name!r} has other content" for name in contents[:_MOST_SHOWN]]
        times = [name for name in both if before[name].date_time != after[name].date_time]
        if times and not said:
            return [f"only the times of {_members(len(times))} differ; all content is identical"]
        if not said:
            return ["only how it is packed differs (order, attributes or compression)"]
        return said


def _of_gzip(then: bytes, now: bytes) -> list[str]:
    """gzip: RFC 1952, 2.3.1: MTIME in bytes 4 to 7."""
    if _unzipped(then) != _unzipped(now):
        return ["the compressed content differs"]
    if then[4:8] != now[4:8]:
        old, new = (struct.unpack("<I", data[4:8])[0] for data in (then, now))
        return [f"only the header's time differs ({old} then, {new} now); the content is identical"]
    return ["only the header or the compression differs; the content is identical"]


def _of_png(then: bytes, now: bytes) -> list[str]:
    """PNG chunks: www.w3.org/TR/png, tIME and the text chunks hold times and program versions."""
    before, after = list(_chunks(then)), list(_chunks(now))
    pixels = {b"IHDR", b"PLTE", b"IDAT", b"tRNS"}
    if [c for c in before if c[0] in pixels] != [c for c in after if c[0] in pixels]:
        return ["the picture differs"]
    kinds = {kind for kind, _ in set(before) ^ set(after)}
    names = ", ".join(sorted(kind.decode("latin-1") for kind in kinds)) or "the order of chunks"
    return [f"only {names} differs (times, text); the picture is identical"]


def _of_pickle(then: bytes, now: bytes) -> list[str]:
    import pickletools

    before = [(op.name, argument) for op, argument, _ in pickletools.genops(then)]
    after = [(op.name, argument) for op, argument, _ in pickletools.genops(now)]
    unlike = [pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]]
    if len(before) != len(after):
        return [f"the pickled structure differs: {len(before)} opcodes then, {len(after)} now"]
    if not unlike:
        return ["only the framing of the pickle differs"]
    if all(_without_addresses(a) == _without_addresses(b) for a, b in unlike):
        return [f"only memory addresses differ, in {len(unlike)} pickled values"]
    (name, old), (_, new) = unlike[0]
    return [
        f"{len(unlike)} of {len(before)} pickled values differ, the first a {name}:"
        f" {_short(old)} then, {_short(new)} now"
    ]


def _of_tar(then: bytes, now: bytes) -> list[str]:
    import tarfile

    with (
        tarfile.open(fileobj=io.BytesIO(then)) as old,
        tarfile.open(fileobj=io.BytesIO(now)) as new,
    ):
        before = {member.name: member for member in old.getmembers()}
        after = {member.name: member for member in new.getmembers()}
        said = _of_names(set(before), set(after))
        for name in before.keys() & after.keys():
            parts = [
                None if file is None else file.read()
                for file in (
                    archive.extractfile(member) if member.isreg() else None
                    for archive, member in ((old, before[name]), (new, after[name]))
                )
            ]
            if parts[0] != parts[1]:
                said.append(f"member {name!r} has other content")
        return said or [
            "only times, owners or order of the members differ; all content is identical"
        ]


def _of_bytes(then: bytes, now: bytes) -> list[str]:
    """Text by its first other line, anything else by its first other byte."""
    if b"\0" not in then[:8192] and b"\0" not in now[:8192]:
        before, after = then.splitlines(), now.splitlines()
        masked = [
            [_TIME.sub(b"T", _ADDRESS.sub(b"A", line)) for line in x] for x in (before, after)
        ]
        if masked[0] == masked[1] and before != after:
            return ["only times or memory addresses in the text differ"]
        for number, (old, new) in enumerate(zip(before, after, strict=False), 1):
            if old != new:
                return [f"line {number}: {_short(_text(old))} then, {_short(_text(new))} now"]
        if len(before) != len(after):
            return [f"{len(before)} lines then, {len(after)} now; the common ones are identical"]
    at = _first_difference(then, now)
    return [f"{len(then)} bytes then, {len(now)} now; the first difference is at byte {at}"]


def _first_difference(then: bytes, now: bytes) -> int:
    step = 1 << 16
    for start in range(0, min(len(then), len(now)), step):
        old, new = then[start : start + step], now[start : start + step]
        if old != new:
            pairs = enumerate(zip(old, new, strict=False))
            return start + next((at for at, (a, b) in pairs if a != b), min(len(old), len(new)))
    return min(len(then), len(now))


def _of_names(before: set[str], after: set[str]) -> list[str]:
    said = [f"member {name!r} is gone" for name in sorted(before - after)[:_MOST_SHOWN]]
    return said + [f"member {name!r} is new" for name in sorted(after - before)[:_MOST_SHOWN]]


def _kind(content: bytes) -> str | None:
    if content.startswith(b"PK\x03\x04") and zipfile.is_zipfile(io.BytesIO(content)):
        return "zip"
    if content.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content[257:262] == b"ustar":
        return "tar"
    # PROTO 2 to 5 at the start and STOP at the end: pickletools.
    if content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05" and content.endswith(b"."):
        return "pickle"
    return None


_READERS: dict[str, Callable[[bytes, bytes], list[str]]] = {
    "zip": lambda then, now: _tried(_of_zip, then, now),
    "gzip": lambda then, now: _tried(_of_gzip, then, now),
    "png": lambda then, now: _tried(_of_png, then, now),
    "tar": lambda then, now: _tried(_of_tar, then, now),
    "pickle": lambda then, now: _tried(_of_pickle, then, now),
}
_EMBEDS = {
    "zip": "zip files (npz, wheels, documents) hold a time for each member",
    "gzip": "gzip files hold the time of compression in their header",
    "png": "PNG pictures may hold times and program versions in text chunks",
    "tar": "tar files hold times and owners of their members",
    "pickle": "pickles may hold memory addresses and depend on the order of sets",
}


def _tried(read: Callable[[bytes, bytes], list[str]], then: bytes, now: bytes) -> list[str]:
    """What a reader says; nothing when one of the files is none of its format after all."""
    import tarfile

    try:
        return read(then, now)
    except (
        *(zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error),
        *(ValueError, EOFError, KeyError, IndexError, NotImplementedError, RuntimeError),
    ):
        return []


def _unzipped(content: bytes) -> bytes:
    """The content of a gzip file, up to a bound: a small file may unpack to terabytes."""
    unzip = zlib.decompressobj(wbits=31)
    out = unzip.decompress(content, _MOST_BYTES)
    if unzip.unconsumed_tail:
        raise ValueError("too large")
    return out


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        at += length + 12


def _without_addresses(value: tuple[str, object]) -> tuple[str, object]:
    name, argument = value
    if isinstance(argument, str):
        argument = argument.encode("utf-8", "surrogateescape")
    return (name, _ADDRESS.sub(b"A", argument) if isinstance(argument, bytes) else argument)


def _content(path: str) -> bytes | None:
    try:
        if os.stat(path).st_size > _MOST_BYTES:  # noqa: PTH116 - names of any bytes
            return None
        with open(path, "rb") as file:  # noqa: PTH123 - names of any bytes
            return file.read()
    except OSError:
        return None


def _members(number: int) -> str:
    return "1 member" if number == 1 else f"{number} members"


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
