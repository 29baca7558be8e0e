"""The tracers beside each other, beside strace, and beside the stock client.

While the eBPF collector is loaded, every process of the machine pays for its hooks. So each round
runs everything else first, without it; then the collector is loaded for a neighbour that is not
observed and for the run that is.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cases import CASES, Case
from measure import ROAR, Figure, Sample, Variant, figure, prepare_projects, run_once

# The calls that the ptrace tracer stops at; strace is asked to stop at the same.
NATIVE = Path(__file__).resolve().parent.parent / "plugins/tracer_ptrace/native"
NOT_ON_X86_64 = "-1"


class Budget(NamedTuple):
    """At most so many times bare, and so many times strace; None: no budget."""

    bare: float | None = None
    strace: float | None = None


BUDGETS = {
    "reopen": {"ebpf": Budget(1.35), "neighbour": Budget(1.20), "ptrace": Budget(strace=0.65)},
    "tiny": {"preload": Budget(1.03), "ebpf": Budget(1.10), "ptrace": Budget(1.13)},
    "forks": {"preload": Budget(1.15), "ebpf": Budget(1.15), "ptrace": Budget(strace=0.85)},
    "build": {"preload": Budget(1.06), "ebpf": Budget(1.06), "ptrace": Budget(1.3, 0.85)},
}
ROUNDS = {"reopen": 5, "tiny": 7, "forks": 7, "build": 4}
# strace and the stock client take five seconds for 50,000 of them.
REOPEN = {"reopen": "50000"}


def traced(name: str) -> Variant:
    """`roar run` with one tracer and nothing behind it."""
    return Variant(name, (str(ROAR), "run", "--quiet", "--tracer", name, "--no-fallback", "--"))


def filtered_calls() -> list[str]:
    """The names of the calls in the ptrace tracer's table that this machine has."""
    rows = [
        line[5:].split(", ")
        for line in (NATIVE / "calls.def").read_text().splitlines()
        if line.startswith("CALL(")
    ]
    return [row[0] for row in rows if row[1] != NOT_ON_X86_64]


def variants(stock: Path | None) -> list[Variant]:
    """Everything that is measured while no collector is loaded."""
    found = [Variant("bare"), Variant("bare again"), traced("preload"), traced("ptrace")]
    if shutil.which("strace"):
        calls = "trace=" + ",".join(filtered_calls())
        argv = ("strace", "-f", "--seccomp-bpf", "-o", os.devnull, "-e", calls)
        found.append(Variant("strace", argv))
    if stock is not None:
        prefix = (str(stock), "run", "--tracer", "preload")
        found.append(Variant("stock client", prefix, is_stock=True))
    return found


@contextmanager
def loaded_collector() -> Iterator[bool]:
    """The collector, loaded and asked for by ROAR_EBPF_SOCKET; False where it cannot be."""
    from roar_core.errors import TracerError

    try:
        from roar_tracer_ebpf.own import OwnCollector

        collector = OwnCollector.start()
    except (ImportError, TracerError) as error:
        print(f"no ebpf: {error}", file=sys.stderr)
        yield False
        return
    os.environ["ROAR_EBPF_SOCKET"] = collector.socket
    try:
        yield True
    finally:
        del os.environ["ROAR_EBPF_SOCKET"]
        collector.let_go()


def scaled(case: Case) -> Case:
    """The case with as many repetitions as the slowest variant can stand."""
    count = REOPEN.get(case.name)
    if count is None:
        return case
    return case._replace(argv=lambda project: [*case.argv(project)[:1], count, "200", "in"])


def measure(case: Case, folder: Path, stock: Path | None, rounds: int) -> dict[str, list]:
    """Samples of each variant, by round; None where a variant sat a round out."""
    alone = variants(stock)
    loaded = [Variant("neighbour"), traced("ebpf")]
    projects = prepare_projects(case, folder, [*alone, *loaded], stock)
    samples: dict[str, list] = {variant.name: [] for variant in [*alone, *loaded]}

    def take(variant: Variant, number: int) -> None:
        sample: Sample | None = None
        if not (variant.is_stock and number >= case.stock_rounds):
            sample = run_once(case, variant, projects[variant])
        if number >= 0:
            samples[variant.name].append(sample)

    for number in range(-1, rounds):
        for place in range(len(alone)):
            take(alone[(number + place) % len(alone)], number)
        with loaded_collector() as is_loaded:
            for variant in loaded if is_loaded else ():
                take(variant, number)
    return samples


def against(case: Case, samples: dict[str, list], base: str, variant: str) -> Figure | None:
    """Ratios to another variant than bare."""
    return figure(case, {**samples, "bare": samples.get(base, [])}, variant)


def cell(value: Figure | None, budget: float | None) -> str:
    """A ratio with its quartiles, and its budget where there is one."""
    if value is None:
        return "–"
    text = f"{value.median:.2f} × [{value.low:.2f} … {value.high:.2f}]"
    if budget is None:
        return text
    return f"{text} (≤ {budget:.2f}{', **over**' if value.median > budget else ''})"


COLUMNS = ("preload", "ebpf", "neighbour", "ptrace", "strace", "stock client")


def section(folder: Path, stock: Path | None, rounds: int | None) -> str:
    """The part of the page about the tracers, in Markdown."""
    rows = [
        "| case | bare again | " + " | ".join(COLUMNS) + " | ptrace against strace |",
        "| --- " * (len(COLUMNS) + 3) + "|",
    ]
    for case in map(scaled, CASES):
        budgets = BUDGETS.get(case.name)
        if budgets is None:
            continue
        print(f"measuring the tracers: {case.what}", file=sys.stderr, flush=True)
        samples = measure(case, folder, stock, rounds or ROUNDS[case.name])
        cells = [
            case.what.replace("200,000", "50,000"),
            cell(figure(case, samples, "bare again"), None),
        ]
        cells += [
            cell(figure(case, samples, name), budgets.get(name, Budget()).bare) for name in COLUMNS
        ]
        to_strace = against(case, samples, "strace", "ptrace") if "strace" in samples else None
        cells.append(cell(to_strace, budgets["ptrace"].strace))
        rows.append("| " + " | ".join(cells) + " |")
    return INTRODUCTION + "\n".join(rows) + "\n"


def page(facts: str, figures: str) -> str:
    """docs/benchmarks-tracers.md."""
    return f"{HEAD}\n## The machine\n\n{facts}\n{figures}"


HEAD = """\
# What each tracer costs

Written by `make bench ARGS=--tracers`; do not edit. Every figure is the median over rounds of the
program's own time (for the build: of everything), divided by that of the bare command in the same
round. [benchmarks.md](benchmarks.md) has what recording costs as a whole.
"""

INTRODUCTION = """\
## The tracers beside each other

Times bare, with the quartiles in brackets and the budget after it. *neighbour* is the bare command
while the eBPF collector is loaded for somebody else. *strace* is `strace -f --seccomp-bpf` on the
calls that the ptrace tracer stops at, writing to /dev/null. Nothing is pinned: where the kernel
puts helper and command decides much of what ptrace costs.

"""
