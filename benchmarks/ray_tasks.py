"""Ten thousand tasks of Ray that do nothing: bare, traced, and traced by Python alone, in turn.

    python benchmarks/ray_tasks.py PYTHON [--rounds 3] [--tasks 10000]

PYTHON is an interpreter with Ray. Each round runs every variant once, each time in another order,
so that a machine that gets busier meanwhile does so for all of them. Told are the tasks after a
warm-up, the start from the program's first moment to the first task's result, what all processes of
the round spend on both (Ray's servers and workers, the driver, roar), and what is left for
`roar run` to do when the program has ended. On a busy machine only processor time says something.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from measure import ROAR, Variant

PROGRAM = Path(__file__).with_name("workloads") / "ray_noop.py"
WARM_UP, LIMIT_S = 200, 600
TASKS_BUDGET, START_BUDGET_S = 1.10, 0.5
RUN = (str(ROAR), "run", "--quiet", "--tracer", "preload", "--no-fallback")
BARE = Variant("bare")
BY_PYTHON = Variant("traced by Python alone", (*RUN, "--"))
VARIANTS = (BARE, Variant("traced", (*RUN, "--")), BY_PYTHON)
SETTINGS = {BY_PYTHON: '[ray]\ncapture = "python"\n'}
# A busy machine is slow to start a cluster, and what Ray reports home is no part of it.
ENVIRON = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "180"}


class Sample(NamedTuple):
    """One run: seconds that passed, and seconds of processor time of all processes meanwhile."""

    tasks_s: float
    tasks_cpu_s: float
    start_s: float
    start_cpu_s: float
    after_s: float


def run_once(variant: Variant, python: str, tasks: int, project: Path) -> Sample:
    """Run a variant and time it; raises `SystemExit` with its words when the command fails."""
    mark = uuid.uuid4().hex
    argv = [*variant.prefix, python, str(PROGRAM), str(tasks), str(WARM_UP), mark]
    environ = os.environ | ENVIRON | {"RAY_NOOP": mark, "ROAR_NO_TELEMETRY": "1"}
    done = subprocess.run(
        argv, cwd=project, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    end_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    if done.returncode:
        sys.exit(f"{variant.name}: exit {done.returncode}\n{done.stderr}")
    moments = json.loads(done.stdout)
    first, warm, ready = moments["first result"], moments["warm"], moments["done"]
    return Sample(
        tasks_s=ready[0] - warm[0],
        tasks_cpu_s=ready[1] - warm[1],
        start_s=first[0] - moments["begin"][0],
        start_cpu_s=first[1],
        after_s=end_s - moments["end"][0],
    )


def measure(python: str, tasks: int, rounds: int) -> dict[Variant, list[Sample]]:
    """Samples of each variant, by round, each variant in a project of its own."""
    samples: dict[Variant, list[Sample]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        projects = {variant: Path(folder) / str(n) for n, variant in enumerate(VARIANTS)}
        for variant, project in projects.items():
            (project / ".roar").mkdir(parents=True)
            (project / ".roar/config.toml").write_text(SETTINGS.get(variant, ""))
        for number in range(rounds):
            for place in range(len(VARIANTS)):
                variant = VARIANTS[(number + place) % len(VARIANTS)]
                sample = run_once(variant, python, tasks, projects[variant])
                samples[variant].append(sample)
                print(f"round {number + 1}, {variant.name}: {sample}", file=sys.stderr, flush=True)
    return samples


HEAD = """## {tasks:,} tasks of Ray that do nothing

| | tasks | their processor time | start | its processor time | after the program |
| --- | --- | --- | --- | --- | --- |
"""


def section(samples: dict[Variant, list[Sample]], tasks: int) -> str:
    """Medians as a section of a page, in Markdown; compared are medians with those of bare."""
    medians = {
        variant: Sample(*map(statistics.median, zip(*each, strict=True)))
        for variant, each in samples.items()
    }
    bare = medians[BARE]
    text = HEAD.format(tasks=tasks)
    for variant, found in medians.items():
        cells = [f"{value:.2f} s" for value in found]
        if variant is not BARE:
            ratio, later_s = found.tasks_s / bare.tasks_s, found.start_s - bare.start_s
            is_over = (ratio > TASKS_BUDGET, later_s > START_BUDGET_S)
            marks = [", **over**" if each else "" for each in is_over]
            cells[0] += f" ({ratio:.2f} ×, ≤ {TASKS_BUDGET:.2f}{marks[0]})"
            cells[1] += f" ({found.tasks_cpu_s / bare.tasks_cpu_s:.2f} ×)"
            cells[2] += f" ({later_s:+.2f} s, ≤ +{START_BUDGET_S} s{marks[1]})"
            cells[3] += f" ({found.start_cpu_s - bare.start_cpu_s:+.2f} s)"
        text += f"| {variant.name} | {' | '.join(cells)} |\n"
    return text


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="an interpreter with Ray")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    samples = measure(options.python, options.tasks, options.rounds)
    print(section(samples, options.tasks))


if __name__ == "__main__":
    main()
