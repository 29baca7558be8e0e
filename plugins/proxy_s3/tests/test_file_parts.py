"""Parts of files: their own bytes and checksums, and never what lies in lent memory."""

from __future__ import annotations

import os
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from roar_proxy_s3.transfer.file_parts import PART_SIZE, FilePart, ShorterError, part_of


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """A file of two parts and a bit, in which no two are equal."""
    path = tmp_path / "large.bin"
    path.write_bytes(b"one" * (PART_SIZE // 3) + b"two" * (PART_SIZE // 3) + os.urandom(5000))
    opened = os.open(path, os.O_RDWR)
    yield opened
    os.close(opened)


@pytest.mark.parametrize(
    ("start", "size"),
    [(0, PART_SIZE), (PART_SIZE, PART_SIZE), (2 * PART_SIZE, 4000), (5, 2 * PART_SIZE)],
)
def test_a_part_has_its_bytes_and_their_checksum(descriptor: int, start: int, size: int) -> None:
    wanted = os.pread(descriptor, size, start)
    for _ in range(2):  # in new memory, and in what was lent before
        with part_of(descriptor, start, size) as (body, checksum):
            content = b"".join(iter(body.read, b"")) if isinstance(body, FilePart) else bytes(body)
        assert content == wanted
        assert checksum == b64encode(zlib.crc32(wanted).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("size", [PART_SIZE, PART_SIZE + 1])
def test_of_a_file_that_became_shorter_there_is_no_part(descriptor: int, size: int) -> None:
    with part_of(descriptor, 0, PART_SIZE):
        pass
    os.ftruncate(descriptor, PART_SIZE - 1)
    with pytest.raises(ShorterError), part_of(descriptor, 0, size):
        pytest.fail("what is not in the file was lent")
