"""The page of figures: docs/benchmarks.md, from one run's results."""

from __future__ import annotations

from cases import Case
from measure import Figure, figure

HEAD = """\
# What recording costs

Written by `make bench`; do not edit. Every figure is the median over rounds, with the quartiles in
brackets. The variants of a case ran in turn within each round and are compared within it. "Bare
again" is the same command as bare: its distance from 1 (or from 0) is the noise of this machine at
that hour.

- **added**: what the whole `roar run …` took more than the bare command, recording included.
- **program**: what the program itself took, by its own clock, divided by the same for bare. The
  recorder's start and finish are not in it; the first rows show those.
- **after**: from the program's end to the recorder's end: hashing, judging, storing.
- **whole**: everything, start to finish, divided by bare.

roar is `roar run --tracer preload`. The stock client is `roar-cli` 0.4.7, also with
`run --tracer preload`, in an environment and a project of its own. Each project is a git repository
of 1,000 files; inputs stay the same from round to round, outputs are new.
"""


def number(value: Figure | None, measure: str) -> str:
    """A figure in the unit of its measure."""
    if value is None:
        return "–"
    if measure in {"added", "after"}:
        unit, scale = ("s", 1.0) if abs(value.median) >= 1 else ("ms", 1000.0)
        digits = 2 if unit == "s" else 0
        middle, low, high = (f"{part * scale:.{digits}f}" for part in value)
        return f"{middle} {unit} [{low} … {high}]"
    return f"{value.median:.2f} × [{value.low:.2f} … {value.high:.2f}]"


def budget(case: Case) -> str:
    """The budget in the same unit."""
    if case.measure in {"added", "after"}:
        return f"≤ {case.budget * 1000:.0f} ms" if case.budget < 1 else f"≤ {case.budget:.1f} s"
    return f"≤ {case.budget:.2f} ×"


def bare_seconds(samples: dict[str, list]) -> str:
    """What the bare command takes, so that ratios can be judged."""
    value = Figure.of([sample.whole_s for sample in samples["bare"]]).median
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def page(
    machine: dict[str, str], results: list[tuple[Case, dict[str, list]]], parts: list[str]
) -> str:
    """The whole page as Markdown; `parts` are sections that other runners made."""
    facts = "".join(f"- {name}: {value}\n" for name, value in machine.items())
    rows = [
        "| case | bare takes | figure | budget | roar | bare again | stock client |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case, samples in results:
        ours = figure(case, samples, "roar")
        mark = "" if ours is None or ours.median <= case.budget else " **over**"
        cells = [
            case.what,
            bare_seconds(samples),
            case.measure,
            budget(case) + mark,
            number(ours, case.measure),
            number(figure(case, samples, "bare again"), case.measure),
            number(figure(case, samples, "stock"), case.measure),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    figures = "## Recording\n\n" + "\n".join(rows) + "\n"
    return "\n".join([HEAD, f"## The machine\n\n{facts}", figures, *parts, FOOT])


FOOT = """\
## Again, on your machine

```sh
make bench                                   # everything, about 15 minutes
make bench ARGS='--only start --only reopen' # some cases; prints them and leaves this page alone
make bench ARGS=--tracers                    # the tracers: docs/benchmarks-tracers.md
make bench ARGS='--cpu 1'                    # the programs on one core, for less noise
```

A disk can take longer to make 20,000 files than everything measured here, and a different time each
round. Where "bare again" is far off in the rows about files, mount a tmpfs on
`benchmarks/.cache/projects` and repeat. (Not /dev/shm: the stock client does not record there.)
"""
