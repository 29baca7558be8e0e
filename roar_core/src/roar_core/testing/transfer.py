"""The promises of a transfer, as tests: subclass `TransferContract` and give two fixtures.

class TestFolders(TransferContract):
    @pytest.fixture
    def transfer(self): return FolderTransfer()

    @pytest.fixture
    def place(self, tmp_path): return f"folder://{tmp_path}"
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from roar_core.errors import NotFoundError, RoarError
from roar_core.hookspecs import RemoteObject, Transfer
from roar_core.promises import transfer as promises
from roar_core.promises.pipe import Pipe

_MIB = 1 << 20
# Larger than any sensible buffer, small enough for a store on loopback.
_LARGE = 48 * _MIB
_MEMORY = 16 * _MIB


class TransferContract:
    """What roar relies on. The fixtures are yours to give."""

    @pytest.fixture
    def transfer(self) -> Transfer:
        """The transfer to prove."""
        raise NotImplementedError("give a fixture `transfer`")

    @pytest.fixture
    def place(self) -> str:
        """A URL, without a slash at its end, below which there is nothing and tests may write."""
        raise NotImplementedError("give a fixture `place`")

    def test_it_is_a_transfer_with_schemes(self, transfer: Transfer, place: str) -> None:
        assert isinstance(transfer, Transfer)
        assert not promises.schemes_are_schemes.complaints(transfer)
        assert place.partition("://")[0] in transfer.schemes

    @pytest.mark.parametrize("size", [0, 1, 3 * _MIB + 1])
    def test_what_was_put_is_what_is_got(
        self, transfer: Transfer, place: str, tmp_path: Path, size: int
    ) -> None:
        content = bytes(range(251)) * (size // 251 + 1)
        content = content[:size]
        put = _put(transfer, f"{place}/part.bin", content, tmp_path)
        assert (put.url, put.size) == (f"{place}/part.bin", size)
        assert _got(transfer, put) == content
        [listed] = transfer.list(put.url)
        assert (listed.url, listed.size) == (put.url, size)
        assert _got(transfer, listed) == content

    def test_a_listing_has_each_object_below_once_in_the_order_of_urls(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        for name in ("set/b", "set/a/deep", "set/a.txt", "settings", "other/set"):
            _put(transfer, f"{place}/{name}", name.encode(), tmp_path)
        expected = [f"{place}/set/{name}" for name in ("a.txt", "a/deep", "b")]
        for url in (f"{place}/set", f"{place}/set/"):
            assert [found.url for found in transfer.list(url)] == expected

    def test_putting_again_replaces_and_adds_nothing(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        for content in (b"old and longer", b"new", b"new"):
            put = _put(transfer, f"{place}/part.bin", content, tmp_path)
            assert _got(transfer, put) == content
        assert [found.url for found in transfer.list(place)] == [put.url]

    def test_another_version_is_never_got_for_the_one_asked_for(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        old = _put(transfer, f"{place}/part.bin", b"old", tmp_path)
        _put(transfer, f"{place}/part.bin", b"new", tmp_path)
        # A store that keeps versions gives the old one, the others say that it is gone.
        with suppress(RoarError):
            assert _got(transfer, old) == b"old"

    def test_what_is_not_there_is_said(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        with pytest.raises(NotFoundError, match="nothing"):
            list(transfer.list(f"{place}/nothing"))
        with pytest.raises(NotFoundError, match="nothing"):
            _got(transfer, RemoteObject(f"{place}/nothing", 0))

    def test_a_file_that_cannot_be_put_leaves_what_was_there(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        put = _put(transfer, f"{place}/part.bin", b"kept", tmp_path)
        with pytest.raises(RoarError, match="gone"):
            transfer.put(tmp_path / "gone", f"{place}/part.bin")
        [found] = transfer.list(place)
        assert (found.url, _got(transfer, found)) == (put.url, b"kept")

    def test_the_target_is_written_in_order_and_stays_open(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        pipe = Pipe()
        transfer.get(_put(transfer, f"{place}/part.bin", b"bytes", tmp_path), pipe)
        assert not pipe.misdeeds

    def test_memory_does_not_grow_with_the_object(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        source = tmp_path / "large.bin"
        with source.open("wb") as stream:
            stream.truncate(_LARGE)
        with _peak_memory() as peak, (tmp_path / "got.bin").open("wb") as target:
            transfer.get(transfer.put(source, f"{place}/large.bin"), target)
        assert (tmp_path / "got.bin").stat().st_size == _LARGE
        assert peak[0] < _MEMORY


def _put(transfer: Transfer, url: str, content: bytes, folder: Path) -> RemoteObject:
    source = folder / "to-put"
    source.write_bytes(content)
    return transfer.put(source, url)


def _got(transfer: Transfer, source: RemoteObject) -> bytes:
    pipe = Pipe()
    transfer.get(source, pipe)
    return pipe.content


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """The most bytes that Python held meanwhile, known when the block has ended."""
    peak = [0]
    tracemalloc.start()
    try:
        yield peak
        peak[0] = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
