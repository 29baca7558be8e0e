"""What it costs to record a job that reads a dataset of many files.

A Zarr store of small chunks is the worst of them: the command itself needs a few microseconds for
each. *cold* is a new project that has never seen the store, *warm* the same project again, *one
changed* after one chunk got other bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from cases import HERE
from measure import ROAR, Figure

CHUNKS = 100_000
FOLDERS = 1_000
CHUNK_BYTES = 1024
PROGRAM = HERE / "workloads" / "read_store.py"


class Took(NamedTuple):
    """Seconds from start to finish, and the peak of the recorder's memory in MB."""

    whole_s: float
    peak_mb: float


def make_store(project: Path) -> None:
    """A Zarr store of version 3 with one array."""
    shutil.rmtree(project, ignore_errors=True)
    array = project / "store.zarr" / "x"
    array.mkdir(parents=True)
    for folder, kind in ((array.parent, "group"), (array, "array")):
        (folder / "zarr.json").write_text(f'{{"zarr_format": 3, "node_type": "{kind}"}}')
    for number in range(FOLDERS):
        chunks = array / "c" / str(number)
        chunks.mkdir(parents=True)
        for chunk in range(CHUNKS // FOLDERS):
            (chunks / str(chunk)).write_bytes(os.urandom(64) * (CHUNK_BYTES // 64))
    (project / ".gitignore").write_text("store.zarr/\n.roar/\n")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)


def run(project: Path, *prefix: str) -> Took:
    """Read the store once."""
    argv = [*prefix, sys.executable, str(PROGRAM)]
    environ = os.environ | {"ROAR_NO_TELEMETRY": "1"}
    start = time.monotonic()
    process = subprocess.Popen(argv, cwd=project, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{argv}: exit {process.returncode}")
    return Took(time.monotonic() - start, usage.ru_maxrss / 1000)


def show(project: Path) -> float:
    """Seconds that `roar show` of the newest job takes."""
    start = time.monotonic()
    subprocess.run([ROAR, "show"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def section(folder: Path, stock: Path | None, rounds: int) -> str:
    """The tables, in Markdown."""
    project = folder / "dataset"
    print(f"making a store of {CHUNKS:,} chunks", file=sys.stderr, flush=True)
    make_store(project)
    time.sleep(3)  # the store has settled: who reads a dataset has not just written it
    roar = (str(ROAR), "run", "--quiet", "--tracer", "preload", "--")
    added: dict[str, list[float]] = {"bare again": [], "cold": [], "warm": [], "one changed": []}
    peaks: list[float] = []
    shown: list[float] = []

    def record(name: str, bare: Took, *prefix: str) -> None:
        took = run(project, *prefix)
        added[name].append(took.whole_s - bare.whole_s)
        if prefix:
            peaks.append(took.peak_mb)

    for number in range(rounds + 1):
        print(f"round {number}", file=sys.stderr, flush=True)
        if number == 0:
            run(project)  # fills the page cache
            continue
        bare = run(project)
        record("bare again", bare)
        shutil.rmtree(project / ".roar", ignore_errors=True)
        record("cold", bare, *roar)
        record("warm", bare, *roar)
        shown.append(show(project))
        (project / "store.zarr/x/c/7/7").write_bytes(os.urandom(CHUNK_BYTES))
        record("one changed", bare, *roar)
    stock_s = stock and _stock(project, stock)
    return _table(added, peaks, shown, stock_s)


def _stock(project: Path, stock: Path) -> float:
    subprocess.run([stock, "init", "-n"], cwd=project, check=True, capture_output=True)
    bare = run(project)
    return run(project, str(stock), "run", "--tracer", "preload").whole_s - bare.whole_s


def _table(
    added: dict[str, list[float]], peaks: list[float], shown: list[float], stock_s: float | None
) -> str:
    budgets = {"cold": 3.0, "warm": 1.0}
    rows = ["| | added | budget |", "| --- | --- | --- |"]
    rows += [
        f"| {name} | {_seconds(Figure.of(values))} | {_budget(budgets.get(name), values)} |"
        for name, values in added.items()
    ]
    if stock_s is not None:
        rows.append(f"| stock client, once | {stock_s:.1f} s | |")
    peak, slowest = max(peaks), Figure.of(shown)
    rows.append(f"| peak of the recorder's memory | {peak:.0f} MB | ≤ 200 MB |")
    rows.append(f"| `roar show` of the job | {slowest.median * 1000:.0f} ms | ≤ 200 ms |")
    return "\n".join(rows) + "\n"


def _seconds(value: Figure) -> str:
    return f"{value.median:.2f} s [{value.low:.2f} … {value.high:.2f}]"


def _budget(budget: float | None, values: list[float]) -> str:
    if budget is None:
        return ""
    return f"≤ {budget:.1f} s{' **over**' if Figure.of(values).median > budget else ''}"


def page(facts: str, figures: str) -> str:
    """docs/benchmarks-datasets.md."""
    return f"{HEAD}\n## The machine\n\n{facts}\n## A Zarr store of {CHUNKS:,} chunks\n\n{figures}"


HEAD = f"""\
# What recording a dataset costs

Written by `make bench ARGS=--datasets`; do not edit. A Python program opens and reads every one of
{CHUNKS:,} chunks of {CHUNK_BYTES} bytes in {FOLDERS:,} folders, all in the page cache. *added* is
what the whole `roar run …` took more than the bare program in the same round: the median, with the
quartiles in brackets. *cold*: a project that has never seen the store; *warm*: again; *one
changed*: after one chunk got other bytes.
"""
