"""Measure what recording costs: `python benchmarks/run.py --help`.

Nothing here is asserted: tests are for facts, and a figure is only as good as the quiet of the
machine it was taken on. So the page names the machine, its load and the noise it saw.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import datasets
import ray_merge
import reading
import tracers
from cases import CASES, HERE
from measure import measure
from report import page


def file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`, as mount(8) names it."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    around = [(m[1], m[2]) for m in mounts if folder.is_relative_to(m[1])]
    return max(around, key=lambda mount: len(mount[0]))[1]


def machine_facts(cpu: int | None, folder: Path) -> dict[str, str]:
    """What a reader needs to know to compare figures."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    load = os.getloadavg()[0]
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processors": f"{os.cpu_count()} × {models[0] if models else platform.machine()}",
        "kernel": platform.release().partition("-")[0],
        "Python": platform.python_version(),
        "file system": file_system(folder.resolve()),
        "placement": "unpinned" if cpu is None else f"all on processor {cpu}",
        "load before the start": f"{load:.1f} (0 is a quiet machine; more means noisier figures)",
    }


def hashing_section() -> str:
    """What benchmarks/hashing.py prints: tables in Markdown."""
    argv = [sys.executable, HERE / "hashing.py", "--rounds", "3"]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    return f"## Hashing, against `b3sum`\n\n{done.stdout.strip()}\n"


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=names, help="this case (repeatable)")
    parser.add_argument("--tracers", action="store_true", help="only the tracers beside each other")
    parser.add_argument("--datasets", action="store_true", help="only datasets of many files")
    parser.add_argument("--rounds", type=int, help="rounds of each case, instead of its own number")
    parser.add_argument("--stock", type=Path, help="the stock client's `roar`, to compare with")
    parser.add_argument("--cpu", type=int, help="pin everything to this processor")
    parser.add_argument("--json", type=Path, help="write every sample here")
    parser.add_argument("--markdown", type=Path, help="write the page here (not with --only)")
    parser.add_argument(
        "--folder", type=Path, default=HERE / ".cache" / "projects", help="where projects are made"
    )
    options = parser.parse_args()
    # Commands run in projects of their own.
    options.stock = options.stock and options.stock.absolute()
    options.folder = options.folder.absolute()
    return options


def main() -> None:
    """Run the cases asked for, print the page, write the files."""
    options = arguments()
    machine = machine_facts(options.cpu, options.folder)
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    if options.datasets:
        facts = "".join(f"- {name}: {value}\n" for name, value in machine.items())
        figures = datasets.section(options.folder, options.stock, options.rounds or 5)
        text = datasets.page(facts, figures)
        print(text)
        if options.markdown:
            options.markdown.with_name("benchmarks-datasets.md").write_text(text)
        return
    if options.tracers:
        facts = "".join(f"- {name}: {value}\n" for name, value in machine.items())
        text = tracers.page(facts, tracers.section(options.folder, options.stock, options.rounds))
        print(text)
        if options.markdown:
            options.markdown.with_name("benchmarks-tracers.md").write_text(text)
        return
    results = []
    for case in CASES:
        if options.only and case.name not in options.only:
            continue
        print(f"measuring: {case.what}", file=sys.stderr, flush=True)
        results.append((case, measure(case, options.folder, options.stock, options.rounds)))
    parts = []
    if not options.only:
        parts = [
            hashing_section(),
            reading.section(options.rounds or 9),
            ray_merge.section(options.rounds or 5),
        ]
    text = page(machine, results, parts)
    print(text)
    if options.json:
        document = {
            "schema": 1,
            "type": "benchmarks",
            "machine": machine,
            "cases": [
                {"name": case.name, "measure": case.measure, "budget": case.budget}
                | {"samples": {k: [s and s._asdict() for s in v] for k, v in samples.items()}}
                for case, samples in results
            ],
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.markdown and not options.only:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
