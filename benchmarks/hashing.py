"""How fast roar hashes, against `b3sum` on the same files in the same run.

    python benchmarks/hashing.py [--folder DIR] [--size-mib 1024] [--files 20000] [--rounds 7]

The variants run in turn within each round; figures are medians over the rounds, with the best and
the worst. *Cold* empties the page cache before each measurement, which takes root; without it only
the warm figures are measured. `b3sum` is a process of its own and pays its start (about 1 ms); for
the small files it is given all of them in one call. The last part is what a second round costs
when nothing has changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from roar_core.hashing.cache import FingerprintKey, key_of
from roar_core.hashing.digests import Digested, digest_file
from roar_core.hashing.pool import hash_files
from roar_core.model.fingerprint import Fingerprint

SMALL_BYTES = 4096
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


class Remembered:
    """A stat cache in memory: what the database's costs is the store's benchmark."""

    def __init__(self) -> None:
        self.digests: dict[FingerprintKey, str] = {}

    def digests_for(
        self, fingerprints: Iterable[Fingerprint], algorithm: str
    ) -> dict[FingerprintKey, str]:
        keys = map(key_of, fingerprints)
        return {key: self.digests[key] for key in keys if key in self.digests}

    def remember(self, rows: Iterable[tuple[Fingerprint, str, str, int]]) -> None:
        self.digests.update((key_of(row[0]), row[2]) for row in rows)


def seconds(action: Callable[[], object], *, cold: bool) -> float:
    """Wall time of one call."""
    if cold:
        os.sync()
        DROP_CACHES.write_text("3")
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def compare(
    title: str,
    variants: dict[str, Callable[[], object]],
    *,
    rounds: int,
    unit: Callable[[float], str],
) -> None:
    """Print one table: every variant, cold (where that can be) and warm."""
    print(f"\n{title}\n")
    print("| page cache | variant | median | best … worst | speed against b3sum |")
    print("| --- | --- | --- | --- | --- |")
    for cold in [True, False] if os.access(DROP_CACHES, os.W_OK) else [False]:
        times: dict[str, list[float]] = {name: [] for name in variants}
        for action in variants.values():
            seconds(action, cold=False)
        for _ in range(rounds):
            for name, action in variants.items():
                times[name].append(seconds(action, cold=cold))
        baseline = statistics.median(times["b3sum"])
        for name, taken in times.items():
            middle = statistics.median(taken)
            print(
                f"| {'cold' if cold else 'warm'} | {name} | {unit(middle)} "
                f"| {unit(min(taken))} … {unit(max(taken))} | {baseline / middle:.2f} |"
            )


def b3sum(paths: list[str]) -> str:
    """What b3sum prints for these files, names left out."""
    program = shutil.which("b3sum")
    if program is None:
        sys.exit("b3sum is missing: apt install b3sum")
    command = [program, "--no-names", *paths]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def measure_large(folder: Path, size_mib: int, rounds: int) -> None:
    """One file, every core."""
    path = str(folder / "large")
    with Path(path).open("wb") as file:
        for _ in range(size_mib):
            file.write(os.urandom(1 << 20))
    if digest_file(path).digests["blake3"] != b3sum([path]).strip():
        sys.exit("roar and b3sum disagree")
    compare(
        f"One file of {size_mib} MiB",
        {"b3sum": lambda: b3sum([path]), "roar": lambda: digest_file(path)},
        rounds=rounds,
        unit=lambda taken: f"{taken * 1000:.0f} ms",
    )


def measure_small(folder: Path, count: int, rounds: int) -> None:
    """Many files: the cost of each, and of one that has not changed."""
    paths = [str(folder / str(number)) for number in range(count)]
    for path in paths:
        Path(path).write_bytes(os.urandom(SMALL_BYTES))
    requests: list[tuple[str, Fingerprint | None]] = [(path, None) for path in paths]
    found = hash_files(requests)
    ours = [out.digests["blake3"] for out in map(found.get, paths) if isinstance(out, Digested)]
    if ours != b3sum(paths).split():
        sys.exit("roar and b3sum disagree")
    cache = Remembered()
    time.sleep(0.1)  # a file written just now would not be remembered
    hash_files(requests, cache=cache)
    compare(
        f"{count} files of {SMALL_BYTES} bytes, each",
        {
            "b3sum": lambda: b3sum(paths),
            "roar": lambda: hash_files(requests),
            "roar, unchanged": lambda: hash_files(requests, cache=cache),
        },
        rounds=rounds,
        unit=lambda taken: f"{taken / count * 1e6:.1f} us",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="where to write the files (default: a temporary folder)")
    parser.add_argument("--size-mib", type=int, default=1024)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        measure_large(Path(folder), arguments.size_mib, arguments.rounds)
        measure_small(Path(folder), arguments.files, arguments.rounds)


if __name__ == "__main__":
    main()
