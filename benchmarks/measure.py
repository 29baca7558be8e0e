"""Run the variants of a case in turn, and tell what each took.

Variants are interleaved and rotated, and a ratio is taken of neighbours in one round, so that a
machine that gets slower or busier meanwhile does so for all of them.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from cases import Case, make_project

ROAR = Path(sys.executable).with_name("roar")
LIMIT_S = 120


class Sample(NamedTuple):
    """One run, in seconds: all of it, the program's own time and what came after the program.

    The last two are None for programs that do not tell when they began and ended.
    """

    whole_s: float
    program_s: float | None = None
    after_s: float | None = None


class Variant(NamedTuple):
    """A way to run a command: `prefix` goes before its argv."""

    name: str
    prefix: tuple[str, ...] = ()
    is_stock: bool = False


def variants(stock: Path | None) -> list[Variant]:
    """Bare, bare again (their difference is noise), roar, and the stock client if there is one."""
    found = [
        Variant("bare"),
        Variant("bare again"),
        Variant("roar", (str(ROAR), "run", "--tracer", "preload", "--")),
    ]
    if stock is not None:
        found.append(Variant("stock", (str(stock), "run", "--tracer", "preload"), is_stock=True))
    return found


def measure(case: Case, folder: Path, stock: Path | None, rounds: int | None) -> dict[str, list]:
    """Samples of each variant, by round; a variant that sits a round out has None there."""
    chosen = variants(stock)
    projects = prepare_projects(case, folder, chosen, stock)
    count = rounds or case.rounds
    samples: dict[str, list] = {variant.name: [] for variant in chosen}
    # Round -1 warms caches (the page cache, bytecode, what a client keeps) and is not counted.
    for number in range(-1, count):
        for place in range(len(chosen)):
            variant = chosen[(number + place) % len(chosen)]
            if variant.is_stock and number >= min(count, case.stock_rounds):
                samples[variant.name].append(None)
                continue
            sample = run_once(case, variant, projects[variant])
            if number >= 0:
                samples[variant.name].append(sample)
    return samples


def prepare_projects(
    case: Case, folder: Path, chosen: list[Variant], stock: Path | None
) -> dict[Variant, Path]:
    """A project for each variant, below `folder`; the stock client's is one of its own kind."""
    projects = {}
    for variant in chosen:
        projects[variant] = folder / variant.name.replace(" ", "-")
        make_project(projects[variant], case)
        if variant.is_stock:
            initialise = [str(stock), "init", "-n"]
            subprocess.run(initialise, cwd=projects[variant], check=True, capture_output=True)
    return projects


def run_once(case: Case, variant: Variant, project: Path) -> Sample:
    """Run one variant and time it; raises `SystemExit` when the command fails, with its words."""
    shutil.rmtree(project / "out")
    (project / "out").mkdir()
    argv = [*variant.prefix, *case.argv(project)]
    environ = os.environ | case.environ(project) | {"ROAR_NO_TELEMETRY": "1"}
    # An installed roar has its bytecode; an editable one writes it in the first round, unless told.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # What earlier runs wrote must not be flushed at this one's cost.
    os.sync()
    start_ns = time.monotonic_ns()
    done = subprocess.run(
        argv, cwd=project, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    end_ns = time.monotonic_ns()
    if done.returncode:
        sys.exit(f"{variant.name}, {case.name}: exit {done.returncode}\n{done.stderr}")
    whole_s = (end_ns - start_ns) / 1e9
    words = done.stdout.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return Sample(whole_s)
    began_ns, ended_ns = map(int, words)
    return Sample(whole_s, (ended_ns - began_ns) / 1e9, (end_ns - ended_ns) / 1e9)


class Figure(NamedTuple):
    """Median and quartiles over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Figure:
        """Summarise at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


def figure(case: Case, samples: dict[str, list], variant: str) -> Figure | None:
    """What `case.measure` asks of a variant against bare of the same round; None if never run."""
    pairs = [
        (bare, other)
        for bare, other in zip(samples["bare"], samples.get(variant, []), strict=False)
        if other is not None
    ]
    if not pairs:
        return None
    if case.measure == "added":
        return Figure.of([other.whole_s - bare.whole_s for bare, other in pairs])
    if case.measure == "after":
        return Figure.of([other.after_s for _, other in pairs])
    if case.measure == "program":
        return Figure.of([other.program_s / bare.program_s for bare, other in pairs])
    return Figure.of([other.whole_s / bare.whole_s for bare, other in pairs])
