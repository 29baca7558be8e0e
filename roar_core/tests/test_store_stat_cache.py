"""A digest is remembered for exactly the file it was taken of."""

from __future__ import annotations

import threading

import pytest

from roar_core.hashing.cache import SETTLE_NS
from roar_core.model.fingerprint import Fingerprint
from roar_core.store import stat_cache
from roar_core.store.writer import Store

HASHED_AT = 1_700_000_000_000_000_000
FILE = Fingerprint(64769, 12, 100, HASHED_AT - 10**9 + 7, HASHED_AT - 10**9 + 7, 0o100644, 1)
DIGEST = "ab" * 32


def test_an_unchanged_file_keeps_its_digest(store: Store) -> None:
    store.remember([(FILE, "blake3", DIGEST, HASHED_AT)])
    assert store.digests_for([FILE], "blake3") == {FILE[:5]: DIGEST}
    assert store.digests_for([FILE], "sha256") == {}


@pytest.mark.parametrize("field", ["dev", "ino", "size", "mtime_ns", "ctime_ns"])
def test_any_difference_makes_it_another_file(store: Store, field: str) -> None:
    store.remember([(FILE, "blake3", DIGEST, HASHED_AT)])
    changed = FILE._replace(**{field: getattr(FILE, field) + 1})
    assert store.digests_for([changed], "blake3") == {}


def test_mode_and_links_are_no_content(store: Store) -> None:
    store.remember([(FILE, "blake3", DIGEST, HASHED_AT)])
    assert store.digests_for([FILE._replace(mode=0o100755, nlink=2)], "blake3")


@pytest.mark.parametrize("field", ["mtime_ns", "ctime_ns"])
def test_a_file_that_had_not_settled_is_not_remembered(store: Store, field: str) -> None:
    young = FILE._replace(**{field: HASHED_AT - SETTLE_NS})
    store.remember([(young, "blake3", DIGEST, HASHED_AT)])
    assert store.digests_for([young], "blake3") == {}


@pytest.mark.parametrize(("rest_s", "is_kept"), [(1, False), (2, False), (3, True)])
def test_times_in_whole_seconds_need_a_longer_rest(
    store: Store, rest_s: int, is_kept: bool
) -> None:
    at = HASHED_AT - rest_s * 10**9
    coarse = FILE._replace(mtime_ns=at, ctime_ns=at)
    store.remember([(coarse, "blake3", DIGEST, HASHED_AT)])
    assert bool(store.digests_for([coarse], "blake3")) == is_kept


def test_a_file_from_the_future_is_not_remembered(store: Store) -> None:
    future = FILE._replace(mtime_ns=HASHED_AT + 10**12)
    store.remember([(future, "blake3", DIGEST, HASHED_AT)])
    assert store.digests_for([future], "blake3") == {}


def test_numbers_beyond_sqlites_are_kept_apart(store: Store) -> None:
    # A FUSE inode of 64 bits, and a time in the year 2400 (touch -d), hashed later still.
    at = 14 * 10**18
    big = FILE._replace(dev=2**64 - 1, ino=2**63 + 5, mtime_ns=13 * 10**18, ctime_ns=-5)
    store.remember([(big, "blake3", DIGEST, at - 2**63)])
    assert store.digests_for([big], "blake3") == {}
    past = big._replace(mtime_ns=-(10**9))
    store.remember([(past, "blake3", DIGEST, HASHED_AT)])
    assert store.digests_for([past, FILE], "blake3") == {past[:5]: DIGEST}
    assert store.digests_for([past._replace(ino=5)], "blake3") == {}


def test_a_newer_version_replaces_the_older(store: Store) -> None:
    newer = FILE._replace(size=200)
    store.remember([(FILE, "blake3", DIGEST, HASHED_AT), (newer, "blake3", "cd" * 32, HASHED_AT)])
    assert store.digests_for([FILE, newer], "blake3") == {newer[:5]: "cd" * 32}


def test_the_oldest_rows_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stat_cache, "KEPT_ROWS", 10)
    files = [FILE._replace(ino=number) for number in range(25)]
    for file in files:
        store.remember([(file, "blake3", DIGEST, HASHED_AT)])
    assert set(store.digests_for(files, "blake3")) == {file[:5] for file in files[-10:]}


def test_thousands_are_asked_at_once(store: Store) -> None:
    files = [FILE._replace(ino=number, dev=number % 3) for number in range(5_000)]
    store.remember((file, "blake3", f"{file.ino:064x}", HASHED_AT) for file in files)
    known = store.digests_for(files, "blake3")
    assert known == {file[:5]: f"{file.ino:064x}" for file in files}


def test_threads_take_turns(store: Store) -> None:
    def work(first: int) -> None:
        for ino in range(first, first + 50):
            file = FILE._replace(ino=ino)
            store.remember([(file, "blake3", DIGEST, HASHED_AT)])
            store.digests_for([file], "blake3")

    threads = [threading.Thread(target=work, args=(number * 50,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = [FILE._replace(ino=number) for number in range(200)]
    assert len(store.digests_for(files, "blake3")) == 200
