"""Reading ahead and skipping holes change how bytes arrive, never which."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roar_core.hashing.holes import believes_holes, filesystem_of, is_sparse
from roar_core.hashing.reading import PIECE_BYTES, TooShortError, read_ahead

GIB = 1 << 30


def read_all(path: Path, size: int, *, skip_holes: bool) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        with read_ahead(fd, size, skip_holes=skip_holes) as stream:
            return b"".join(bytes(piece) for piece in stream)
    finally:
        os.close(fd)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.integers(1, 6 * PIECE_BYTES),
    islands=st.lists(st.tuples(st.integers(0, 6 * PIECE_BYTES), st.integers(1, 9000)), max_size=5),
)
def test_skipping_holes_gives_the_same_bytes(
    tmp_path: Path, size: int, islands: list[tuple[int, int]]
) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(size)
        for start, length in islands:
            file.seek(min(start, size))
            file.write(b"x" * min(length, size - min(start, size)))
    content = path.read_bytes()
    assert read_all(path, size, skip_holes=True) == content
    assert read_all(path, size, skip_holes=False) == content


def test_holes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(GIB)
        file.seek(GIB // 2)
        file.write(b"island")
    before = read_bytes_so_far()
    fd = os.open(path, os.O_RDONLY)
    try:
        with read_ahead(fd, GIB, skip_holes=True) as stream:
            assert sum(len(piece) for piece in stream) == GIB
    finally:
        os.close(fd)
    assert read_bytes_so_far() - before < 4 * PIECE_BYTES


def read_bytes_so_far() -> int:
    fields = Path("/proc/self/io").read_text().split()
    return int(fields[fields.index("rchar:") + 1])


def test_a_file_shorter_than_said_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * PIECE_BYTES))
    with pytest.raises(TooShortError):
        read_all(path, 3 * PIECE_BYTES + 1, skip_holes=False)


def test_leaving_early_leaves_no_reader_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(20 * PIECE_BYTES))
    fd = os.open(path, os.O_RDONLY)
    threads = threading.active_count()
    with read_ahead(fd, 20 * PIECE_BYTES) as stream:
        next(stream)
    assert threading.active_count() == threads
    os.close(fd)


@pytest.mark.parametrize(
    ("filesystem", "age_s", "believed"),
    [("ext4", 0, True), ("zfs", 1, False), ("zfs", 60, True), (None, 1, False), (None, 60, True)],
)
def test_holes_are_believed_at_once_only_where_memory_counts(
    tmp_path: Path, filesystem: str | None, age_s: int, believed: bool
) -> None:
    found = tmp_path.stat()
    assert believes_holes(found, filesystem, found.st_ctime_ns + age_s * 10**9) is believed


@pytest.mark.parametrize(("filled", "sparse"), [(0, True), (GIB // 4, True), (GIB, False)])
def test_a_file_is_sparse_when_most_of_it_is_a_hole(
    tmp_path: Path, filled: int, sparse: bool
) -> None:
    with (tmp_path / "file").open("wb") as file:
        if filled:
            os.posix_fallocate(file.fileno(), 0, filled)
        file.truncate(GIB)
    assert is_sparse((tmp_path / "file").stat()) is sparse


def test_the_file_system_is_the_one_that_is_mounted() -> None:
    said = subprocess.run(
        ["stat", "-f", "-c", "%T", "/proc"], check=True, capture_output=True, text=True
    )
    assert filesystem_of(os.stat("/proc").st_dev) == said.stdout.strip() == "proc"
    assert filesystem_of(os.makedev(4095, 1048575)) is None
