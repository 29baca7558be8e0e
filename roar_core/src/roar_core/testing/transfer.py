"""The promises of a transfer, as tests: subclass `TransferContract` and give two fixtures.

class TestFolders(TransferContract):
    @pytest.fixture
    def transfer(self): return FolderTransfer()

    @pytest.fixture
    def place(self, tmp_path): return f"folder://{tmp_path}"

Of one that only gets, subclass `ReadingContract`; `keep` says how an object comes to be there.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from roar_core.errors import AlreadyThereError, NotFoundError, RoarError
from roar_core.hookspecs import RemoteObject, Transfer, Upload
from roar_core.promises import transfer as promises

_MIB = 1 << 20
# Larger than any sensible buffer, small enough for a store on loopback.
_LARGE = 48 * _MIB
# What a store may call an object, and a URL may spell in another way.
_ODD_NAMES = ("a b.txt", "100%.csv", "x?y#z", "naïve/été.csv", "a+b&c=d.bin", "%41", "~tilde/'q'")


class ReadingContract:
    """What `roar get` relies on. The fixtures are yours to give."""

    @pytest.fixture
    def transfer(self) -> Transfer:
        """The transfer to prove."""
        raise NotImplementedError("give a fixture `transfer`")

    @pytest.fixture
    def place(self) -> str:
        """A URL, without a slash at its end, below which there is nothing and tests may write."""
        raise NotImplementedError("give a fixture `place`")

    def url(self, transfer: Transfer, place: str, name: str) -> str:
        """Where an object of this name would be."""
        return transfer.below(place, name)

    def keep(
        self, transfer: Transfer, place: str, name: str, content: bytes, folder: Path
    ) -> RemoteObject:
        """Have an object of this name and content below `place`, and return it as it is listed."""
        return _put(transfer, self.url(transfer, place, name), content, folder)

    def test_it_is_a_transfer_with_schemes(self, transfer: Transfer, place: str) -> None:
        assert isinstance(transfer, Transfer)
        assert not promises.schemes_are_schemes.complaints(transfer)
        assert place.partition("://")[0] in transfer.schemes

    @pytest.mark.parametrize("size", [0, 1, 3 * _MIB + 1])
    def test_what_is_there_is_what_is_got(
        self, transfer: Transfer, place: str, tmp_path: Path, size: int
    ) -> None:
        content = _counted(size)
        kept = self.keep(transfer, place, "part.bin", content, tmp_path)
        assert kept.size in (size, None)
        [listed] = transfer.list(kept.url)
        assert (listed.url, listed.name) == (kept.url, "part.bin")
        assert listed.size in (size, None)
        assert bytes_of(transfer, listed) == content

    def test_ranges_can_be_read_at_once(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        content = _counted(2 * _MIB + 5)
        self.keep(transfer, place, "part.bin", content, tmp_path)
        [listed] = transfer.list(self.url(transfer, place, "part.bin"))
        starts = (0, 1, 700_001, _MIB, 2 * _MIB, 2 * _MIB + 4) if listed.ranges else (0,)

        def part(start: int) -> bytes:
            return b"".join(transfer.read(listed, start, min(700_000, len(content) - start)))

        with ThreadPoolExecutor(4) as pool:
            for start, got in zip(starts, pool.map(part, starts), strict=True):
                assert got == content[start : start + 700_000]

    def test_pieces_are_small_and_can_be_left(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        kept = self.keep(transfer, place, "part.bin", _counted(5 * _MIB), tmp_path)
        with closing(transfer.read(kept, 0, None)) as pieces:  # type: ignore[type-var]
            first = next(pieces)
        assert 0 < len(first) <= _MIB
        assert all(len(piece) <= _MIB for piece in transfer.read(kept, 0, None))

    @pytest.mark.parametrize("name", _ODD_NAMES)
    def test_names_survive(self, transfer: Transfer, place: str, tmp_path: Path, name: str) -> None:
        self.keep(transfer, place, name, b"bytes", tmp_path)
        [listed] = transfer.list(self.url(transfer, place, name))
        assert (listed.name, bytes_of(transfer, listed)) == (name.rpartition("/")[2], b"bytes")

    def test_another_version_is_never_got_for_the_one_asked_for(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        self.keep(transfer, place, "part.bin", b"old", tmp_path)
        [old] = transfer.list(self.url(transfer, place, "part.bin"))
        self.keep(transfer, place, "part.bin", b"new", tmp_path)
        # A store that keeps versions gives the old one, the others say that it is gone.
        with suppress(RoarError):
            assert bytes_of(transfer, old) == b"old"

    def test_what_is_not_there_is_said(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        url = self.url(transfer, place, "nothing")
        with pytest.raises(NotFoundError, match="nothing"):
            list(transfer.list(url))
        with pytest.raises(NotFoundError, match="nothing"):
            bytes_of(transfer, RemoteObject(url, 1))

    def test_memory_does_not_grow_with_what_is_got(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        self.keep(transfer, place, "large.bin", bytes(_LARGE), tmp_path)
        [listed] = transfer.list(self.url(transfer, place, "large.bin"))
        with _peak_memory() as peak:
            size = sum(len(piece) for piece in transfer.read(listed, 0, listed.size))
        assert (size, peak[0] < 16 * _MIB) == (_LARGE, True)


class TransferContract(ReadingContract):
    """What `roar put` relies on besides.

    `memory_mib` is what it holds of one large file at most, however large that is: a transfer that
    sends several parts at once, each from memory, says more.
    """

    memory_mib = 16

    def test_a_listing_has_each_object_below_once_in_the_order_of_urls(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        for name in ("set/b", "set/a/deep", "set/a.txt", "settings", "other/set"):
            self.keep(transfer, place, name, name.encode(), tmp_path)
        names = ["a.txt", "a/deep", "b"]
        expected = [(f"{place}/set/{name}", name) for name in names]
        for url in (f"{place}/set", f"{place}/set/"):
            assert [(found.url, found.name) for found in transfer.list(url)] == expected

    def test_a_listing_names_what_was_put(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        for name in _ODD_NAMES:
            self.keep(transfer, place, name, b"", tmp_path)
        assert {found.name for found in transfer.list(place)} == set(_ODD_NAMES)

    def test_putting_again_replaces_and_adds_nothing(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        for content in (b"old and longer", b"new", b"new"):
            put = _put(transfer, f"{place}/part.bin", content, tmp_path)
            assert (put.url, put.size) == (f"{place}/part.bin", len(content))
            assert bytes_of(transfer, put) == content
        assert [found.url for found in transfer.list(place)] == [put.url]

    def test_what_is_there_is_not_replaced_unasked(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        put = _put(transfer, f"{place}/part.bin", b"kept", tmp_path, replace=False)
        with pytest.raises(AlreadyThereError, match=r"part\.bin"):
            _put(transfer, f"{place}/part.bin", b"new", tmp_path, replace=False)
        [found] = transfer.list(place)
        assert (found.url, bytes_of(transfer, found)) == (put.url, b"kept")

    def test_progress_is_told_and_adds_up(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        told: list[int] = []
        _put(transfer, f"{place}/part.bin", _counted(3 * _MIB), tmp_path, told=told)
        assert sum(told) == 3 * _MIB

    def test_an_upload_that_is_ended_leaves_nothing_and_can_be_done_again(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        class Ended(Exception):
            pass

        def end(count: int) -> None:
            raise Ended

        (tmp_path / "to-put").write_bytes(_counted(3 * _MIB))
        upload = _upload(tmp_path / "to-put", f"{place}/part.bin", tmp_path, end)
        with pytest.raises(Ended):
            transfer.put(upload)
        with pytest.raises(NotFoundError):
            list(transfer.list(f"{place}/part.bin"))
        put = _put(transfer, f"{place}/part.bin", _counted(3 * _MIB), tmp_path)
        assert bytes_of(transfer, put) == _counted(3 * _MIB)

    def test_a_file_that_cannot_be_put_leaves_what_was_there(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        put = _put(transfer, f"{place}/part.bin", b"kept", tmp_path)
        with pytest.raises(RoarError, match="gone"):
            transfer.put(_upload(tmp_path / "gone", f"{place}/part.bin", tmp_path))
        (tmp_path / "grown").write_bytes(b"12345")
        grown = _upload(tmp_path / "grown", f"{place}/part.bin", tmp_path, size=3)
        with pytest.raises(RoarError, match="grown"):
            transfer.put(grown)
        [found] = transfer.list(place)
        assert (found.url, bytes_of(transfer, found)) == (put.url, b"kept")

    def test_memory_does_not_grow_with_what_is_put(
        self, transfer: Transfer, place: str, tmp_path: Path
    ) -> None:
        with (tmp_path / "large.bin").open("wb") as stream:
            stream.truncate(large := max(_LARGE, self.memory_mib * 3 // 2 * _MIB))
        with _peak_memory() as peak:
            put = transfer.put(_upload(tmp_path / "large.bin", f"{place}/large.bin", tmp_path))
        assert (put.size, peak[0] < self.memory_mib * _MIB) == (large, True)


def upload_of(
    source: Path,
    url: str,
    advance: Callable[[int], None] = lambda count: None,
    *,
    replace: bool = False,
) -> Upload:
    """An upload of a file, whose state lies beside it."""
    state = source.with_name(f"{source.name}.state")
    state.mkdir(exist_ok=True)
    return Upload(source, url, source.stat().st_size, state, replace, advance)


def bytes_of(transfer: Transfer, found: RemoteObject) -> bytes:
    """All of an object."""
    return b"".join(transfer.read(found, 0, None))


def _counted(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def _upload(
    source: Path,
    url: str,
    folder: Path,
    advance: Callable[[int], None] = lambda count: None,
    *,
    replace: bool = True,
    size: int | None = None,
) -> Upload:
    state = folder / "state"
    state.mkdir(exist_ok=True)
    if size is None:
        size = source.stat().st_size if source.exists() else 0
    return Upload(source, url, size, state, replace, advance)


def _put(
    transfer: Transfer,
    url: str,
    content: bytes,
    folder: Path,
    *,
    replace: bool = True,
    told: list[int] | None = None,
) -> RemoteObject:
    source = folder / "to-put"
    source.write_bytes(content)
    told = [] if told is None else told
    return transfer.put(_upload(source, url, folder, told.append, replace=replace))


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
