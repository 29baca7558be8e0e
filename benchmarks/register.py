"""Register a closure of many jobs at a registry on this machine: how long, and how many requests.

    python benchmarks/register.py [--jobs 1000] [--profile FILE]

The jobs are those of `generate_project.py`, which read and write 30 files each. A real
`glaas serve` on SQLite stands behind a proxy that counts what comes by, and costs a little.
Budget: 1,000 jobs in 5 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generate_project import generate

TESTS = Path(__file__).resolve().parents[1] / "tests" / "registry"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--profile", help="write cProfile's figures of the client to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "project").mkdir()
        generate(root / "project", arguments.jobs, 0)
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "roar_glaas.cli", "serve", "--port", "0"),
                *("--data", root / "data"),
            ],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {"GLAAS_LOG_REQUESTS": "off", "GLAAS_ANONYMOUS_BYTES_PER_DAY": str(1 << 30)},
        )
        assert server.stderr is not None
        try:
            url = server.stderr.readline().rpartition(" at ")[2].strip()
            measure(root, url, arguments.profile)
        finally:
            server.terminate()
            server.communicate()


def measure(root: Path, url: str, profile: str | None) -> None:
    sys.path.insert(0, str(TESTS))
    from between import standing_between

    profiled = ["-m", "cProfile", "-o", profile] if profile else []
    with standing_between(url) as between:
        for what in ("first", "again"):
            between.requests.clear()
            began, before_s = time.perf_counter(), sum(os.times()[2:4])
            subprocess.run(
                [sys.executable, *profiled, "-m", "roar_core", "register", "-y"],
                cwd=root / "project",
                env=os.environ
                | {"HOME": str(root), "ROAR_NO_TELEMETRY": "1"}
                | {"ROAR_REGISTRY__URL": between.url},
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            took_s = time.perf_counter() - began
            used_s = sum(os.times()[2:4]) - before_s
            requests = len(between.requests)
            print(
                f"{what}: {took_s:.2f} s, {used_s:.2f} s of the client's CPU, {requests} requests"
            )


if __name__ == "__main__":
    main()
