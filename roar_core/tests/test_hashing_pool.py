"""Many files at once: every answer, the cache's part in it, and failures that stay alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from blake3 import blake3

from roar_core.errors import UsageError
from roar_core.hashing.cache import SETTLE_NS, FingerprintKey, key_of
from roar_core.hashing.digests import LARGE_BYTES, Digested
from roar_core.hashing.pool import HashFailure, hash_files
from roar_core.model.fingerprint import Fingerprint


class Remembered:
    """A stat cache in memory, as strict as the database's."""

    def __init__(self) -> None:
        self.rows: dict[tuple[FingerprintKey, str], tuple[str, int]] = {}

    def digests_for(
        self, fingerprints: Iterable[Fingerprint], algorithm: str
    ) -> dict[FingerprintKey, str]:
        keys = map(key_of, fingerprints)
        return {key: self.rows[key, algorithm][0] for key in keys if (key, algorithm) in self.rows}

    def remember(self, rows: Iterable[tuple[Fingerprint, str, str, int]]) -> None:
        for fingerprint, algorithm, digest, read_at_ns in rows:
            self.rows[key_of(fingerprint), algorithm] = digest, read_at_ns


def fingerprint_of(path: Path) -> Fingerprint:
    return Fingerprint.from_stat(path.stat())


def settled(path: Path, content: bytes) -> Path:
    """Write a file and wait until its fingerprint can mean these bytes only."""
    path.write_bytes(content)
    while time.time_ns() - path.stat().st_ctime_ns <= SETTLE_NS:
        os.sched_yield()
    return path


def digest_of(outcome: Digested | HashFailure) -> str:
    assert isinstance(outcome, Digested)
    return outcome.digests["blake3"]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_files_of_every_size_get_their_digests(tmp_path: Path, workers: int) -> None:
    sizes = [*range(1500), 40_000, 40_001, 700_000, 1 << 20, 3 << 20, LARGE_BYTES, 20 << 20]
    wanted: dict[str, str] = {}
    for number, size in enumerate(sizes):
        content = os.urandom(8).ljust(size, b"x")[:size]
        (tmp_path / str(number)).write_bytes(content)
        wanted[str(tmp_path / str(number))] = blake3(content).hexdigest()
    outcomes = hash_files([(path, None) for path in wanted], workers=workers)
    assert {path: digest_of(outcome) for path, outcome in outcomes.items()} == wanted


def test_a_file_without_a_digest_leaves_the_others_theirs(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(b"abc")
    (tmp_path / "changed").write_bytes(b"before")
    before = fingerprint_of(tmp_path / "changed")
    (tmp_path / "changed").write_bytes(b"afterwards")
    os.mkfifo(tmp_path / "fifo")
    asked = {"good": None, "missing": None, "changed": before, "fifo": None}
    found = hash_files([(str(tmp_path / name), version) for name, version in asked.items()])
    outcomes = {Path(path).name: outcome for path, outcome in found.items()}
    assert digest_of(outcomes.pop("good")) == blake3(b"abc").hexdigest()
    codes = {name: out.code for name, out in outcomes.items() if isinstance(out, HashFailure)}
    assert codes == {"missing": "missing", "changed": "changed", "fifo": "not_regular"}
    changed = outcomes["changed"]
    assert isinstance(changed, HashFailure)
    assert changed.fingerprint == fingerprint_of(tmp_path / "changed")
    assert "no longer the version asked for" in changed.reason


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    cache = Remembered()
    path = settled(tmp_path / "file", b"abc")
    first = hash_files([(str(path), None)], cache=cache)[str(path)]
    planted = {key: ("planted", at) for key, (_, at) in cache.rows.items()}
    assert len(planted) == 1
    cache.rows.update(planted)
    again = hash_files([(str(path), None)], cache=cache)[str(path)]
    assert digest_of(first) == blake3(b"abc").hexdigest()
    assert digest_of(again) == "planted"


def test_a_version_that_is_gone_is_answered_from_the_cache(tmp_path: Path) -> None:
    cache = Remembered()
    path = settled(tmp_path / "file", b"abc")
    version = fingerprint_of(path)
    hash_files([(str(path), version)], cache=cache)
    path.unlink()
    found = hash_files([(str(path), version)], cache=cache)[str(path)]
    assert digest_of(found) == blake3(b"abc").hexdigest()


def test_a_file_just_written_is_not_remembered(tmp_path: Path) -> None:
    cache = Remembered()
    ahead = time.time_ns() + 3600 * 10**9
    (tmp_path / "file").write_bytes(b"abc")
    os.utime(tmp_path / "file", ns=(ahead, ahead))
    hash_files([(str(tmp_path / "file"), None)], cache=cache)
    assert cache.rows == {}


@pytest.mark.parametrize(
    "overwrite",
    ['cp -p "$0" "$1"', 'touch -r "$1" old && cat "$0" > "$1" && touch -r old "$1"'],
    ids=["cp -p", "touch -r"],
)
def test_same_size_and_preserved_mtime_do_not_give_the_old_digest(
    tmp_path: Path, overwrite: str
) -> None:
    cache = Remembered()
    path = settled(tmp_path / "file", b"old bytes")
    other = tmp_path / "other"
    other.write_bytes(b"new bytes")
    os.utime(other, ns=(path.stat().st_mtime_ns,) * 2)
    old = fingerprint_of(path)
    hash_files([(str(path), None)], cache=cache)
    subprocess.run(["sh", "-c", overwrite, other, path], check=True, cwd=tmp_path)
    new = fingerprint_of(path)
    assert (new.ino, new.size, new.mtime_ns) == (old.ino, old.size, old.mtime_ns)
    found = hash_files([(str(path), None)], cache=cache)[str(path)]
    assert digest_of(found) == blake3(b"new bytes").hexdigest()


def test_a_cached_digest_binds_the_other_algorithms_to_its_version(tmp_path: Path) -> None:
    cache = Remembered()
    path = settled(tmp_path / "file", b"abc")
    hash_files([(str(path), None)], cache=cache)
    both = hash_files([(str(path), None)], cache=cache, algorithms=("blake3", "md5"))[str(path)]
    assert isinstance(both, Digested)
    assert both.digests == {
        "blake3": blake3(b"abc").hexdigest(),
        "md5": "900150983cd24fb0d6963f7d28e17f72",
    }
    assert {algorithm for _, algorithm in cache.rows} == {"blake3", "md5"}
    # Known for blake3 only, and gone: sha256 of whatever is there now would be another version's.
    version = fingerprint_of(path)
    path.write_bytes(b"other")
    mixed = hash_files([(str(path), version)], cache=cache, algorithms=("blake3", "sha256"))
    assert isinstance(mixed[str(path)], HashFailure)


@pytest.mark.parametrize("algorithms", [("blake3",), ("blake3", "sha256")])
@pytest.mark.parametrize("size", [100, LARGE_BYTES])
def test_progress_grows_to_the_whole(
    tmp_path: Path, size: int, algorithms: tuple[str, ...]
) -> None:
    paths = [tmp_path / str(number) for number in range(3)]
    for path in paths:
        path.write_bytes(bytes(size))
    seen: list[tuple[int, int, int]] = []
    hash_files(
        [(str(path), None) for path in paths],
        algorithms=algorithms,
        on_progress=lambda *report: seen.append(report),
    )
    assert seen == sorted(seen)
    assert seen[-1] == (3 * size, 3 * size, 3)


def test_an_interrupt_does_not_wait_for_large_files_in_progress(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(2)]
    for path in paths:
        with path.open("wb") as file:
            file.truncate(1 << 40)

    def interrupt(*_report: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_files(
            [(str(path), None) for path in paths],
            algorithms=("sha256", "sha512"),
            on_progress=interrupt,
        )


def test_what_was_hashed_before_an_interrupt_is_remembered(tmp_path: Path) -> None:
    cache = Remembered()
    paths = [settled(tmp_path / str(number), bytes(LARGE_BYTES)) for number in range(2)]

    def interrupt(_done: int, _total: int, files: int) -> None:
        if files:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_files([(str(path), None) for path in paths], cache=cache, on_progress=interrupt)
    assert [key[1] for key, _ in cache.rows] == [paths[0].stat().st_ino]


def test_an_unknown_algorithm_is_refused_before_any_file_is_touched(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown hash algorithm"):
        hash_files([(str(tmp_path / "no"), None)], algorithms=("blake3", "crc32"))


def test_a_path_asked_for_twice_is_answered_for_the_version_first_asked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    old = fingerprint_of(path)
    path.write_bytes(b"newer")
    outcomes = hash_files([(str(path), old), (str(path), None)])
    assert isinstance(outcomes[str(path)], HashFailure)


def test_hashing_small_files_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from roar_core.hashing.pool import hash_files\n"
        "hash_files([(sys.executable, None)])\n"
        "print({'attrs', 'logging', 'asyncio', 'subprocess', 'hashlib', 'concurrent'}"
        " & set(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True
    )
    assert said.stdout == "set()\n"
