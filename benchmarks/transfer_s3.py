"""`roar put` and `roar get` of s3:// against boto3's own transfers, on one server.

    python benchmarks/transfer_s3.py [--size 1024] [--files 10000] [--rounds 3] [--server keeping]

Each side is a process of its own, as typed: roar's looks, hashes with BLAKE3, writes atomically and
records; boto3's moves the bytes, with as many threads. They take turns, and the best round counts;
the CPU seconds are the client's, and mean more on a machine with much else to do.

`--server keeping` is rclone that keeps each object's digest, as most stores do; `rclone` alone
reads all of an object when it is first asked for its ETag: roar asks after a put, boto3's user
lists before a get.
"""

from __future__ import annotations

import argparse
import functools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "proxy_s3" / "tests"))
THREADS = 8
KILOBYTES = 4

BOTO3 = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import boto3
from botocore.config import Config
what, here, bucket, prefix, threads = sys.argv[1:]
config = Config(max_pool_connections=32,
                response_checksum_validation="when_required")
client = boto3.client("s3", config=config)
here = Path(here)
def up(path): client.upload_file(str(path), bucket, prefix + str(path.relative_to(here)))
def down(key):
    path = here / key[len(prefix):]
    path.parent.mkdir(parents=True, exist_ok=True)
    client.download_file(bucket, key, str(path))
if what == "put":
    work, each = up, (path for path in here.rglob("*") if path.is_file())
else:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    work, each = down, (entry["Key"] for page in pages for entry in page["Contents"])
with ThreadPoolExecutor(int(threads)) as pool:
    list(pool.map(work, each))
"""


class Took(NamedTuple):
    """Seconds: by the clock, and of the command's own CPU."""

    wall: float
    cpu: float


def seconds(command: list[str], environ: Mapping[str, str], cwd: Path) -> Took:
    """How long a command takes, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, env=environ, cwd=cwd, capture_output=True, text=True)
    wall = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{command[:6]} failed: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(
    name: str, source: Path, rounds: int, environ: Mapping[str, str], project: Path
) -> None:
    """Put and get what is in `source` by turns, and print the best of each and their ratio."""
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    best: dict[tuple[str, str], Took] = {}
    for number in range(rounds):
        for side in ("boto3", "roar"):
            prefix, there = f"{name}-{side}-{number}/", project / f"{name}-{side}-{number}"
            if side == "roar":
                roar = [sys.executable, "-m", "roar_core"]
                put = [*roar, "put", "--no-register", f"{source}/", f"s3://bench/{prefix}"]
                get = [*roar, "get", f"s3://bench/{prefix}", str(there)]
            else:
                script = [sys.executable, "-c", BOTO3]
                put = [*script, "put", str(source), "bench", prefix, str(THREADS)]
                get = [*script, "get", str(there), "bench", prefix, str(THREADS)]
            for what, command in (("put", put), ("get", get)):
                took = seconds(command, environ, project)
                best[what, side] = min(took, best.get((what, side), took))
            shutil.rmtree(there)
    for what in ("put", "get"):
        mine, theirs = best[what, "roar"], best[what, "boto3"]
        print(
            f"{name:6} {what}  roar {_told(mine, size)}   boto3 {_told(theirs, size)}   "
            f"ratio {theirs.wall / mine.wall:.2f}"
        )


def _told(took: Took, size: int) -> str:
    rate = size / took.wall / 1e6
    return f"{took.wall:7.2f} s {rate:7.1f} MB/s {took.cpu:6.2f} s of CPU"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024, help="of the large file, in MiB")
    parser.add_argument("--files", type=int, default=10_000, help="how many small ones")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server", choices=("keeping", "rclone", "moto"), default="keeping")
    wishes = parser.parse_args()
    import s3_servers

    with tempfile.TemporaryDirectory(prefix="roar-transfer-") as name:
        folder = Path(name)
        project = folder / "project"
        (project / ".roar").mkdir(parents=True)
        (folder / "large").mkdir()
        (folder / "small").mkdir()
        with (folder / "large" / "large.bin").open("wb") as file:
            for _ in range(wishes.size):
                file.write(os.urandom(1 << 20))
        for number in range(wishes.files):
            (folder / "small" / f"{number:06}.bin").write_bytes(os.urandom(KILOBYTES << 10))
        servers = {
            "keeping": functools.partial(s3_servers.rclone, keeps_digests=True),
            "rclone": s3_servers.rclone,
            "moto": s3_servers.moto,
        }
        with servers[wishes.server](folder) as server:
            environ = {**os.environ, **server.variables, "ROAR_NO_TELEMETRY": "1"}
            with server.client() as client:
                client.create_bucket(Bucket="bench")
            for what, wanted in (("large", wishes.size), ("small", wishes.files)):
                if wanted:
                    measure(what, folder / what, wishes.rounds, environ, project)
    print(f"load average of this machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
