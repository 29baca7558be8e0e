"""What differs between two files of formats that embed times and addresses."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

from roar_core.reproduce.differences import differences


def said(tmp_path: Path, then: bytes, now: bytes) -> str:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(then)
    new.write_bytes(now)
    return "; ".join(differences(str(new), str(old)))


def zip_of(year: int, **members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


def tar_of(mtime: int, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("a")
        member.size, member.mtime = len(content), mtime
        archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def png_of(time: bytes, pixels: bytes = b"\0\1") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"tIME", time) + chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IEND", b"")


def test_times_of_zip_members_are_told_from_content(tmp_path: Path) -> None:
    old = zip_of(2020, a="1", b="2")
    assert "only the times of 2 members" in said(tmp_path, old, zip_of(2024, a="1", b="2"))
    assert "'b' has other content" in said(tmp_path, old, zip_of(2020, a="1", b="3"))
    told = said(tmp_path, old, zip_of(2020, a="1", c="2"))
    assert "'b' is gone" in told
    assert "'c' is new" in told


def test_the_time_in_a_gzip_header_is_named(tmp_path: Path) -> None:
    old, new = gzip.compress(b"same", mtime=1), gzip.compress(b"same", mtime=2)
    assert "only the header's time differs (1 then, 2 now)" in said(tmp_path, old, new)
    assert "content differs" in said(tmp_path, old, gzip.compress(b"other", mtime=1))


def test_a_time_chunk_of_a_picture_is_named(tmp_path: Path) -> None:
    assert "only tIME differs" in said(tmp_path, png_of(b"1234567"), png_of(b"7654321"))
    assert "the picture differs" in said(tmp_path, png_of(b"1"), png_of(b"1", b"\0\2"))


def test_times_of_tar_members_are_told_from_content(tmp_path: Path) -> None:
    assert "all content is identical" in said(tmp_path, tar_of(1, b"x"), tar_of(2, b"x"))
    assert "'a' has other content" in said(tmp_path, tar_of(1, b"x"), tar_of(1, b"y"))


def test_addresses_in_a_pickle_are_named_and_nothing_is_unpickled(tmp_path: Path) -> None:
    old = pickle.dumps({"f": "<function f at 0x7f0000000001>"})
    new = pickle.dumps({"f": "<function f at 0x7f0000000002>"})
    assert "only memory addresses differ" in said(tmp_path, old, new)
    assert "0.91 then, 0.93 now" in said(tmp_path, pickle.dumps(0.91), pickle.dumps(0.93))
    evil = b"\x80\x04cos\nsystem\n(S'touch " + str(tmp_path / "evil").encode() + b"'\ntR."
    said(tmp_path, evil, evil.replace(b"touch", b"TOUCH"))
    assert not (tmp_path / "evil").exists()


def test_text_is_told_by_its_first_other_line(tmp_path: Path) -> None:
    assert "line 2: 'acc,0.91' then, 'acc,0.93' now" in said(
        tmp_path, b"k,v\nacc,0.91\n", b"k,v\nacc,0.93\n"
    )
    assert "only times or memory addresses" in said(
        tmp_path, b"at 2024-01-01 10:00:00\n", b"at 2025-02-02T11:11:11\n"
    )


def test_anything_else_is_told_by_its_first_other_byte(tmp_path: Path) -> None:
    assert "3 bytes then, 4 now; the first difference is at byte 1" in said(
        tmp_path, b"\0ab", b"\0cab"
    )


def test_damaged_files_are_compared_as_bytes(tmp_path: Path) -> None:
    for head in (b"PK\x03\x04", b"\x1f\x8b\x08", b"\x89PNG\r\n\x1a\n\xff\xff", b"\x80\x04."):
        assert said(tmp_path, head + b"\0one", head + b"\0two") != ""


def test_when_the_recorded_bytes_are_gone_the_format_is_named(tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_bytes(gzip.compress(b"x"))
    [sentence] = differences(str(new), None)
    assert "gzip files hold the time" in sentence
    new.write_bytes(b"text")
    assert differences(str(new), None) == []
