"""What analyzers cost a run whose trackers are absent: `roar run true`, with and without them.

    python benchmarks/analyzers.py [--rounds 41]

Variants run in turn within each round, and a difference is taken of neighbours in one round. *Not
loaded* disables the distribution by its name, which leaves the tracer; *switched off* is the
setting; *nine analyzers* is a plain run. The budget is 5 ms for each analyzer.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from cases import CASES
from measure import ROAR, Figure, Sample, Variant, prepare_projects, run_once

ANALYZERS = 9
BUDGET_MS = 5.0
NOT_LOADED = "not loaded"


def variants() -> list[Variant]:
    """Each with one variable more, so that all execute env(1)."""
    settings = {
        NOT_LOADED: "ROAR_DISABLE_PLUGINS=roar-analyzer-trackers",
        "not loaded again": "ROAR_DISABLE_PLUGINS=roar-analyzer-trackers",
        "switched off": "ROAR_ANALYZERS__EXPERIMENT_TRACKERS=false",
        "nine analyzers": "ROAR_DISABLE_PLUGINS=",
    }
    run = (str(ROAR), "run", "--quiet", "--tracer", "preload", "--")
    return [Variant(name, ("env", setting, *run)) for name, setting in settings.items()]


def measured(rounds: int, folder: Path) -> dict[str, list[Sample]]:
    """Samples by variant; the first round warms caches and is not kept."""
    case = next(case for case in CASES if case.name == "start")
    chosen = variants()
    projects = prepare_projects(case, folder, chosen, None)
    samples: dict[str, list[Sample]] = {variant.name: [] for variant in chosen}
    for number in range(-1, rounds):
        for place in range(len(chosen)):
            variant = chosen[(number + place) % len(chosen)]
            sample = run_once(case, variant, projects[variant])
            if number >= 0:
                samples[variant.name].append(sample)
    return samples


def table(samples: dict[str, list[Sample]]) -> str:
    """Markdown: medians, and the quartiles of the differences."""
    lines = [
        "| analyzers | whole run, ms | more than not loaded, ms | ratio |",
        "| --- | --- | --- | --- |",
    ]
    without = [sample.whole_s for sample in samples[NOT_LOADED]]
    for name, kept in samples.items():
        whole = [sample.whole_s for sample in kept]
        more = Figure.of([(a - b) * 1e3 for a, b in zip(whole, without, strict=True)])
        ratio = Figure.of([a / b for a, b in zip(whole, without, strict=True)])
        took = Figure.of([seconds * 1e3 for seconds in whole])
        spread = f"{more.low:+.1f} … {more.high:+.1f}"
        lines.append(
            f"| {name} | {took.median:.1f} | {more.median:+.1f} ({spread}) | {ratio.median:.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(table(measured(options.rounds, Path(folder))))
    print(
        f"\nbudget: {BUDGET_MS * ANALYZERS:.0f} ms for {ANALYZERS}; load {os.getloadavg()[0]:.1f}"
    )
