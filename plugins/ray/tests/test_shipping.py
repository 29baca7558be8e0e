"""Journals reach the run's folder whole, in whatever order and however often their pieces come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roar_core.journal import Record, open_existing
from roar_ray.agent import records
from roar_ray.agent.journal import Journal
from roar_ray.agent.reading import Reading, gapless
from roar_ray.agent.shipping import Shipping
from roar_ray.driver import fetching

RUN = "ab" * 16


class Store:
    """A key-value store, as the cluster has it."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def put(self, key: bytes, value: bytes) -> None:
        self.held[key] = value

    def get(self, key: bytes) -> bytes | None:
        return self.held.get(key)

    def keys(self, prefix: bytes) -> list[bytes]:
        return [key for key in self.held if key.startswith(prefix)]

    def delete(self, key: bytes) -> None:
        self.held.pop(key, None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "worker.1.jnl"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = Journal(str(path), RUN)
    yield made
    made.close()


def tell(journal: Journal, *texts: str) -> None:
    for text in texts:
        journal.write(records.TASK, strings=(text.encode(),))


def texts(found: list[Record]) -> list[str]:
    return [record.strings[0].decode() for record in found]


def fetched(folder: Path) -> list[Record]:
    return open_existing(fetching.journal_path(str(folder), "node", "worker.1")).records


def test_what_is_shipped_and_fetched_is_what_was_written(
    journal: Journal, path: Path, tmp_path: Path
) -> None:
    store = Store()
    shipping = Shipping(str(path), RUN, "node", store, 1 << 20)
    written = []
    for round_ in range(4):
        new = [f"{round_}.{number}" for number in range(round_ * 3)]
        tell(journal, *new)
        written += new
        shipping.ship()
        if round_ % 2:
            fetching.fetch(store, RUN, str(tmp_path))
            assert not store.held
    assert texts(fetched(tmp_path)) == written
    assert fetched(tmp_path) == open_existing(path).records
    assert gapless(fetching.journal_path(str(tmp_path), "node", "worker.1")) == journal.tail


def test_the_same_pieces_twice_and_backwards_are_the_same_journal(
    journal: Journal, path: Path, tmp_path: Path
) -> None:
    tell(journal, "a" * 200_000, "b" * 200_000, "c" * 200_000, "d")
    pieces = list(Reading(str(path)).pieces())
    assert len(pieces) > 2, "more than one piece, and the first page"
    for offset, data in [*reversed(pieces), *pieces]:
        fetching.lay_down(str(tmp_path), "node", "worker.1", offset, data)
    assert fetched(tmp_path) == open_existing(path).records
    assert (
        open_existing(fetching.journal_path(str(tmp_path), "node", "worker.1")).unreadable_bytes
        == 0
    )


def test_room_that_is_not_filled_yet_is_looked_at_again(
    journal: Journal, path: Path, tmp_path: Path
) -> None:
    reading = Reading(str(path))
    tell(journal, "a")
    start = journal.tail
    tell(journal, "slow")
    end = journal.tail
    tell(journal, "b")
    with path.open("r+b") as file:
        slow = os.pread(file.fileno(), end - start, start)
        os.pwrite(file.fileno(), bytes(end - start), start)
        first = list(reading.pieces())
        os.pwrite(file.fileno(), slow, start)
        second = list(reading.pieces())
    assert [offset for offset, _ in first] == [records.HEADER_SIZE, end, 0]
    assert [offset for offset, _ in second] == [start, 0]
    for offset, data in first:
        fetching.lay_down(str(tmp_path), "node", "worker.1", offset, data)
    assert texts(fetched(tmp_path)) == ["a", "b"]
    assert gapless(fetching.journal_path(str(tmp_path), "node", "worker.1")) == start
    for offset, data in second:
        fetching.lay_down(str(tmp_path), "node", "worker.1", offset, data)
    assert fetched(tmp_path) == open_existing(path).records


def test_what_the_driver_has_is_not_given_again(journal: Journal, path: Path) -> None:
    tell(journal, "a")
    reached = journal.tail
    tell(journal, "b")
    offsets = [offset for offset, _ in Reading(str(path), reached).pieces()]
    assert offsets == [reached, 0]


def test_a_store_that_is_full_is_not_filled_further(
    journal: Journal, path: Path, tmp_path: Path
) -> None:
    store = Store()
    shipping = Shipping(str(path), RUN, "node", store, 300_000)
    tell(journal, "a" * 200_000)
    shipping.ship()
    tell(journal, "b" * 200_000, "c")
    shipping.ship()
    assert shipping.is_held_back
    assert sum(len(key) for key in store.held) < 300_000
    fetching.fetch(store, RUN, str(tmp_path))
    shipping.ship()
    assert not shipping.is_held_back
    fetching.fetch(store, RUN, str(tmp_path))
    assert fetched(tmp_path) == open_existing(path).records


def test_no_journal_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.jnl").write_bytes(b"no journal" * 1000)
    assert list(Reading(str(tmp_path / "x.jnl")).pieces()) == []
    assert gapless(str(tmp_path / "x.jnl")) == 0
