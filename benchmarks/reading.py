"""What the reading commands take in a project of 10,000 jobs and 300,000 edges.

    python benchmarks/reading.py [--rounds 9]

Wall time is what a user waits, processor time what the command itself does; on a busy machine only
the second says something. The projects are made by generate_project.py, afresh.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import ROAR, Figure

GENERATOR = Path(__file__).with_name("generate_project.py")
# What comes from 600 jobs, and what 600 came of.
LAST = "data/pipeline_00058/step_9/part_0.parquet"
FIRST = "data/pipeline_00000/step_-1/part_0.parquet"
# command, jobs per session (0: all in one), budget in seconds
COMMANDS = (
    (("status",), 200, 0.15),
    (("log",), 200, 0.15),
    (("show",), 200, 0.15),
    (("dag",), 200, 0.15),
    (("lineage", LAST), 200, 0.25),
    (("lineage", LAST, "--json"), 200, 0.25),
    (("impact", FIRST), 200, 0.20),
    (("dag", "--json"), 0, 0.40),
)


def run_once(command: tuple[str, ...], project: Path) -> tuple[float, float]:
    """Seconds of wall and of processor time of one `roar` command."""
    before = os.times()
    start = time.monotonic()
    subprocess.run([ROAR, *command], cwd=project, check=True, stdout=subprocess.DEVNULL)
    wall_s = time.monotonic() - start
    after = os.times()
    spent = after.children_user + after.children_system
    return wall_s, spent - before.children_user - before.children_system


def section(rounds: int) -> str:
    """The figures as a section of the page, in Markdown."""
    rows = [
        "| command | jobs in the session | wall time | processor time | budget |",
        "| --- | --- | --- | --- | --- |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        projects = {}
        for per_session in sorted({per_session for _, per_session, _ in COMMANDS}):
            projects[per_session] = Path(folder) / str(per_session)
            argv = [sys.executable, GENERATOR, projects[per_session]]
            subprocess.run(
                [*argv, "--per-session", str(per_session)], check=True, stdout=subprocess.DEVNULL
            )
        for command, per_session, budget_s in COMMANDS:
            samples = [run_once(command, projects[per_session]) for _ in range(rounds + 1)][1:]
            wall, processor = (Figure.of(list(column)) for column in zip(*samples, strict=True))
            mark = "" if wall.median <= budget_s else " **over**"
            rows.append(
                f"| `roar {' '.join(command)}` | {per_session or '10,000'} | {milliseconds(wall)} |"
                f" {milliseconds(processor)} | ≤ {budget_s * 1000:.0f} ms{mark} |"
            )
    return "## Asking, in a project of 10,000 jobs\n\n" + "\n".join(rows) + "\n"


def milliseconds(value: Figure) -> str:
    """Median and quartiles."""
    middle, low, high = (f"{part * 1000:.0f}" for part in value)
    return f"{middle} ms [{low} … {high}]"


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    print(section(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
