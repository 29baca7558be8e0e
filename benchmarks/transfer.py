"""What `roar get` and `roar put` cost, beside the shortest program that moves the same bytes.

    python benchmarks/transfer.py [--mib 1024] [--files 10000] [--rounds 3] [--only NAME] [--at DIR]

All lies below one folder (`--at`: where, and so on which disk). The web server is the tests' own,
in a process of its own, and gives from memory; its baseline is http.client reading one connection
into a file. Baselines end when their bytes are on the disk, as ours do. Of each the best round
counts; they take turns.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ROAR = (sys.executable, "-m", "roar_core")
PIECE = 1 << 20
SERVE = """
import os, sys
from roar_core.testing.web_server import web_server
with web_server() as server:
    print(server.give("/big.bin", os.urandom(1 << 20) * int(sys.argv[1])), flush=True)
    sys.stdin.read()
"""


class Case(NamedTuple):
    """Two ways to bring something to a place that is not there yet, and its MiB."""

    name: str
    baseline: Callable[[Path], None]
    ours: Callable[[Path], None]
    mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024, help="size of the large object")
    parser.add_argument("--files", type=int, default=10_000, help="how many small files of 4 KiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    parser.add_argument("--at", help="the folder to work in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.at) as folder, served(arguments.mib) as url:
        root = Path(folder)
        (root / "project").mkdir()
        for case in cases(root, url, arguments.mib, arguments.files):
            if arguments.only in case.name:
                report(case, root, arguments.rounds)


def cases(root: Path, url: str, mib: int, files: int) -> Iterator[Case]:
    """Everything that is measured; what is to be moved is made first."""
    big, many = root / "big.bin", root / "many"
    big.write_bytes(os.urandom(PIECE) * mib)
    for number in range(files):
        place = many / str(number % 100) / str(number)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(os.urandom(4096))

    def roar(*words: object) -> Callable[[Path], None]:
        return lambda to: run(*ROAR, *words, to, cwd=root / "project")

    def copied(source: Path) -> Callable[[Path], None]:
        def copy(to: Path) -> None:
            run("cp", "-r", source, to)
            run("sync", "-f", to)

        return copy

    few = files * 4096 / PIECE
    yield Case(f"get a file of {mib} MiB", copied(big), roar("get", big), mib)
    yield Case(f"put a file of {mib} MiB", copied(big), roar("put", "--no-register", big), mib)
    yield Case(f"get {files:,} files", copied(many), roar("get", many), few)
    yield Case(f"put {files:,} files", copied(many), roar("put", "--no-register", many), few)
    yield Case(f"get {mib} MiB over http", lambda to: download(url, to), roar("get", url), mib)


def report(case: Case, root: Path, rounds: int) -> None:
    """Run it, and print a row of a table."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for which, move in (("baseline", case.baseline), ("roar", case.ours)):
            to = root / "to"
            os.sync()
            began = time.perf_counter()
            move(to)
            took = time.perf_counter() - began
            best[which] = min(best.get(which, took), took)
            shutil.rmtree(to) if to.is_dir() else to.unlink()
            shutil.rmtree(root / "project" / ".roar", ignore_errors=True)
    speed = case.mib / best["roar"]
    print(
        f"| {case.name} | {best['baseline']:.2f} s | {best['roar']:.2f} s | {speed:,.0f} MiB/s |"
        f" {best['baseline'] / best['roar']:.2f} |",
        flush=True,
    )


def download(url: str, to: Path) -> None:
    """The shortest download there is in Python: one connection, into a file, by one buffer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", parts.path)
    answer = connection.getresponse()
    buffer = memoryview(bytearray(PIECE))
    with to.open("wb", buffering=0) as target:
        while count := answer.readinto(buffer):
            target.write(buffer[:count])
        os.fsync(target.fileno())
    connection.close()


@contextmanager
def served(mib: int) -> Iterator[str]:
    """The URL of an object of so many MiB on a web server of its own."""
    command = [sys.executable, "-c", SERVE, str(mib)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.communicate("")


def run(*words: object, cwd: Path | None = None) -> None:
    environ = os.environ | {"ROAR_NO_TELEMETRY": "1"}
    subprocess.run(
        list(map(str, words)), check=True, cwd=cwd, env=environ, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
