"""Register a closure of many jobs at a registry on this machine: how long, and how many requests.

    python benchmarks/register.py [--jobs 1000] [--profile FILE] [--stock ROAR]

The jobs are those of `generate_project.py`, which read and write 30 files each. A real
`glaas serve` on SQLite stands behind a proxy that counts what comes by, and costs a little.
Budgets: 1,000 jobs in 5 s; to show one of them from the registry, 300 ms.

`--stock` is the command of roar-cli 0.4.7, in an environment of its own, as a baseline: it records
the same number of jobs first, of two files each, which takes it about a second for each.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generate_project import generate

TESTS = Path(__file__).resolve().parents[1] / "tests" / "registry"
ROAR = (sys.executable, "-m", "roar_core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--profile", help="write cProfile's figures of the client to this file")
    parser.add_argument("--stock", type=Path, help="the command of roar-cli 0.4.7")
    arguments = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    from between import standing_between

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
            # One address for all: another would be another registry.
            with standing_between(url) as between:
                measure(root, between, server.pid, arguments.profile)
                if arguments.stock is not None:
                    stock = arguments.stock.absolute()
                    measure_stock(root, between, server.pid, stock, arguments.jobs)
        finally:
            server.terminate()
            server.communicate()


def measure(root: Path, between: Any, server: int, profile: str | None) -> None:
    """Register, register again, and show one job here and where nothing is known."""
    project, elsewhere = root / "project", root / "elsewhere"
    elsewhere.mkdir()
    with sqlite3.connect(project / ".roar" / "roar.db") as db:
        (uid,) = db.execute("SELECT uid FROM job ORDER BY id DESC LIMIT 1").fetchone()
    register = ("register", "-y")
    profiled = (sys.executable, "-m", "cProfile", "-o", profile, *ROAR[1:]) if profile else ROAR
    environ = {"ROAR_NO_TELEMETRY": "1"}
    # An installed roar has its bytecode; the first call of each command writes it.
    warm = [*ROAR, "register", "--dry-run"]
    subprocess.run(warm, cwd=project, env=environ_of(root, between, environ), capture_output=True)
    timed(root, between, server, "register", [*profiled, *register], project, environ)
    timed(root, between, server, "register again", [*ROAR, *register], project, environ)
    show = [*ROAR, "show", uid, "--remote"]
    subprocess.run(show, cwd=project, env=environ_of(root, between, environ), capture_output=True)
    timed(root, between, server, "show --remote", show, project, environ)
    timed(root, between, server, "show --remote elsewhere", show, elsewhere, environ)


def measure_stock(root: Path, between: Any, server: int, stock: Path, jobs: int) -> None:
    """The same of the stock client: each of its jobs reads what the one before it wrote."""
    project = root / "stock"
    project.mkdir()
    environ = {
        "PATH": f"{stock.parent}:{os.environ['PATH']}",
        "DO_NOT_TRACK": "1",
        "ROAR_DISABLE_BROWSER_OPEN": "1",
    }

    def call(*words: str | Path) -> None:
        own = os.environ | environ | {"HOME": str(root)}
        subprocess.run(words, cwd=project, env=own, check=True, capture_output=True)

    (project / "file-0").write_text("something\n")
    (project / ".gitignore").write_text(".roar/\nfile-*\n")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "begin"]):
        call(*git, *words)
    call(stock, "init", "-n")
    call(stock, "config", "set", "filters.ignore_tmp_files", "false")
    call(stock, "config", "set", "tracer.default", "preload")
    for job in range(jobs):
        call(stock, "run", "sh", "-c", f"(cat file-{job}; echo {job}) > file-{job + 1}")
    register = [stock, "register", "-y", "--anonymous", f"file-{jobs}"]
    timed(root, between, server, "roar-cli 0.4.7 register", register, project, environ)
    timed(root, between, server, "roar-cli 0.4.7 register again", register, project, environ)


def timed(
    root: Path,
    between: Any,
    server: int,
    what: str,
    command: Sequence[str | Path],
    cwd: Path,
    environ: dict[str, str],
) -> None:
    """Run a client of this registry, and print what it cost."""
    between.requests.clear()
    began, client_s, server_s = time.perf_counter(), sum(os.times()[2:4]), cpu_s(server)
    subprocess.run(
        command,
        cwd=cwd,
        env=environ_of(root, between, environ),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    took_s = time.perf_counter() - began
    print(
        f"{what}: {took_s:.2f} s; CPU: {sum(os.times()[2:4]) - client_s:.2f} s of the client, "
        f"{cpu_s(server) - server_s:.2f} s of the server; {len(between.requests)} requests",
        flush=True,
    )


def environ_of(root: Path, between: Any, environ: dict[str, str]) -> dict[str, str]:
    """The variables of a client of this registry."""
    names = dict.fromkeys(("ROAR_REGISTRY__URL", "GLAAS_URL", "ROAR_GLAAS__URL"), between.url)
    own = os.environ | {"HOME": str(root)} | names | environ
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return own


def cpu_s(process: int) -> float:
    """What a process has used of processors (proc(5): utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
