"""What a large registry answers and takes in, over HTTP, on SQLite and PostgreSQL.

    python benchmarks/registry.py [--small] [--engine sqlite] [--markdown FILE]

Needs roar-glaas[postgresql], and PostgreSQL's programs for that engine. The registry is made anew,
below --folder, and is removed again: some 8 GB for each engine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cases import HERE
from registry_graph import FULL, SMALL, Made, Size, make_registry
from registry_load import Client, Rate, Work, made_up_work, register_all
from run import machine_facts

ENGINES = ("sqlite", "postgresql")
CLIENTS = 50


class Row(NamedTuple):
    """One line of the page: what was measured, what came out, and the most or least it may be."""

    what: str
    figure: str
    budget: str = ""
    is_over: bool = False


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    """The URL of a file that does not exist yet."""
    yield f"sqlite:///{folder / 'glaas.db'}"


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL server that runs as Debian's sets it up."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        sys.exit("no PostgreSQL here; apt install postgresql, or use --engine sqlite")
    as_owner: list[str] = []
    if not os.geteuid():  # PostgreSQL refuses to run as root
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres")
        for above in folder.parents:
            if above.stat().st_uid == 0 and above != Path("/"):
                above.chmod(above.stat().st_mode | 0o011)

    def run(program: str, *words: str) -> None:
        argv = [*as_owner, "env", "LC_ALL=C.UTF-8", programs[-1] / program, "-D", folder / "data"]
        subprocess.run([*argv, *words], check=True, stdout=subprocess.DEVNULL, cwd="/")

    run("initdb", "-U", "glaas", "-A", "trust", "-E", "UTF8")
    options = f"-k {folder} -c listen_addresses= -c max_wal_size=4GB"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://glaas@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-w", "-m", "fast", "stop")


@contextmanager
def serving(url: str, folder: Path) -> Iterator[Served]:
    """`glaas serve` over a database, without limits for the one address that measures."""
    environ = os.environ | {
        "GLAAS_ANONYMOUS_JOBS_PER_DAY": "100000000",
        "GLAAS_ANONYMOUS_BYTES_PER_DAY": str(10**12),
        "GLAAS_REQUESTS_PER_MINUTE": "0",
        "GLAAS_LOG_REQUESTS": "off",
    }
    began = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "roar_glaas.cli", "serve", "--port", "0"),
            *("--data", folder / "data", "--database", url),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )
    try:
        line = process.stderr.readline()
        if " at http://" not in line:
            sys.exit(f"the server did not start: {line}{process.stderr.read()}")
        address = line.rpartition(" at ")[2].strip()
        Client(address).ask("GET", "/ready")
        yield Served(address, process.pid, time.perf_counter() - began)
    finally:
        process.terminate()
        _, rest = process.communicate(timeout=60)
        print(rest, file=sys.stderr, end="")


class Served(NamedTuple):
    """A server: where it is, its process, and how long it took to be ready."""

    url: str
    pid: int
    ready_s: float

    def peak_mb(self) -> float:
        """The most memory it has had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def milliseconds(client: Client, paths: list[str]) -> list[float]:
    """How long each answer took, in order of length; the first tenth of them comes once before."""
    for path in paths[: max(1, len(paths) // 10)]:
        client.ask("GET", path)
    taken = []
    for path in paths:
        began = time.perf_counter()
        client.ask("GET", path)
        taken.append((time.perf_counter() - began) * 1e3)
    return sorted(taken)


def read_row(what: str, taken: list[float], *, most_ms: float, share: float) -> Row:
    """The median, and the figure that the budget is about: the `share` of answers below it."""
    figure = taken[min(len(taken) - 1, int(len(taken) * share))]
    name = f"p{share * 100:.0f}"
    return Row(
        what,
        f"{statistics.median(taken):.1f} ms, {name} {figure:.1f} ms",
        f"{name} ≤ {most_ms:.0f} ms",
        figure > most_ms,
    )


def reading(url: str, made: Made, rounds: int) -> list[Row]:
    """What is asked of one large registry, by one client."""
    client = Client(url)
    some = (made.some * (1 + rounds // len(made.some)))[:rounds]
    few = max(5, rounds // 50)
    by_hash = [f"/api/v1/artifacts/{digest}" for digest in some]
    prefixes = [f"/api/v1/artifacts/{digest[:12]}" for digest in some]
    producers = [f"/api/v1/graph/artifacts/{digest}/producers" for digest in some]
    hops = [f"/api/v1/artifacts/{digest}/lineage" for digest in some]
    closure = f"/api/v1/graph/artifacts/{made.deepest}/upstream"
    consumers = f"/api/v1/graph/artifacts/{made.dataset}/consumers"
    jobs = len(client.ask("GET", closure)["jobs"])
    rows = [
        read_row("an artifact by its hash", milliseconds(client, by_hash), most_ms=10, share=0.99),
        read_row("by 12 digits of it", milliseconds(client, prefixes), most_ms=10, share=0.99),
        read_row("its producer", milliseconds(client, producers), most_ms=10, share=0.99),
        read_row("one hop each way", milliseconds(client, hops), most_ms=10, share=0.99),
        read_row(
            f"upstream closure of {jobs} jobs, 50 deep",
            milliseconds(client, [closure] * few),
            most_ms=50,
            share=0.5,
        ),
        read_row(
            "first page of the dataset's consumers",
            milliseconds(client, [consumers] * few),
            most_ms=50,
            share=0.5,
        ),
    ]
    client.close()
    return rows


def taking_in(url: str, sessions: int, jobs: int) -> list[Row]:
    """How fast sessions are registered, and whether any is lost under many clients."""
    batched = [made_up_work(jobs, is_batched=True) for _ in range(sessions)]
    rate = register_all(url, batched, 4)
    single = [made_up_work(50, is_batched=False) for _ in range(4)]
    slow = register_all(url, single, 4)
    small = [made_up_work(10, is_batched=n % 2 == 0) for n in range(4 * CLIENTS)]
    many = register_all(url, small, CLIENTS, reads=4)
    lost = _lost(url, many, small)
    return [
        Row(
            f"taken in: {sessions} sessions of {jobs:,} jobs and 3 artifacts for each, 4 clients",
            f"{rate.jobs_per_s:,.0f} jobs/s",
            "≥ 1,000 jobs/s",
            rate.jobs_per_s < 1_000,
        ),
        Row(
            "as the stock client sends: two requests for each job, 4 clients",
            f"{slow.jobs_per_s:,.0f} jobs/s",
        ),
        Row(
            f"{CLIENTS} clients that register {len(small)} sessions and read beside",
            f"{many.jobs_per_s:,.0f} jobs/s, 0 errors, {lost} lost",
            "0 errors, 0 lost",
            lost > 0,
        ),
    ]


def _lost(url: str, rate: Rate, works: list[Work]) -> int:
    """How many sessions are not there as they were sent."""
    client = Client(url)
    found = [
        len(client.ask("GET", f"/api/v1/public/sessions/{name}/reproduction")["jobs"])
        for name in rate.hashes
    ]
    return len(works) - sum(count == work.jobs for count, work in zip(found, works, strict=True))


def measured(engine: str, folder: Path, size: Size, *, is_small: bool) -> tuple[Made, list[Row]]:
    """Everything, on one engine."""
    open_engine: Callable = {"sqlite": sqlite, "postgresql": postgresql}[engine]
    with open_engine(folder) as url:
        began = time.perf_counter()
        made = make_registry(url, size)
        print(f"{engine}: made in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        return made, measure(url, folder, made, is_small=is_small)


def measure(url: str, folder: Path, made: Made, *, is_small: bool) -> list[Row]:
    """The rows of one engine, over a registry that was made."""
    with serving(url, folder) as served:
        rows = [
            Row("start to ready", f"{served.ready_s:.1f} s", "≤ 3 s", is_over=served.ready_s > 3),
            *reading(served.url, made, 200 if is_small else 2_000),
            *taking_in(served.url, 2 if is_small else 20, 1_000),
        ]
        return [*rows, Row("the server's memory, at its most", f"{served.peak_mb():.0f} MB")]


def section(engine: str, made: Made, rows: list[Row]) -> str:
    """One engine's table, in Markdown."""
    lines = [
        f"## {'SQLite' if engine == 'sqlite' else 'PostgreSQL'}",
        "",
        f"{made.jobs:,} jobs in {made.sessions:,} sessions, {made.artifacts:,} artifacts, "
        f"{made.edges:,} edges.",
        "",
        "| | measured | budget |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {r.what} | {r.figure} | {r.budget}{' **over**' * r.is_over} |" for r in rows]
    return "\n".join(lines) + "\n"


def page(facts: dict[str, str], sections: list[str]) -> str:
    """docs/benchmarks-registry.md."""
    machine = "".join(f"- {name}: {value}\n" for name, value in facts.items())
    return "\n".join([HEAD, f"## The machine\n\n{machine}", *sections])


HEAD = """\
# What a large registry takes and answers

Written by `python benchmarks/registry.py --markdown docs/benchmarks-registry.md`; do not edit. A
registry is written straight into its database: sessions of 20 to 600 jobs that are chains with side
arms, a thousand popular artifacts, and one dataset that four jobs in ten read. Then one `glaas
serve`, one process, is asked over HTTP by a client on the same machine, so that both share its
processors. Times are from sending a request to having parsed its answer: the median, and where a
budget is about it the 99th percentile.
"""


def main() -> None:
    """Measure the engines asked for, print the page, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a fiftieth of it, for a quick look")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one")
    parser.add_argument("--folder", type=Path, default=HERE / ".cache", help="where it is made")
    parser.add_argument("--markdown", type=Path, help="write the page here")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    facts = machine_facts(None, options.folder)
    sections = []
    for engine in options.engine or ENGINES:
        with tempfile.TemporaryDirectory(
            prefix=f"registry-{uuid.uuid4().hex[:8]}-", dir=options.folder.absolute()
        ) as name:
            size = SMALL if options.small else FULL
            made, rows = measured(engine, Path(name), size, is_small=options.small)
        sections.append(section(engine, made, rows))
        print(sections[-1], flush=True)
    if options.markdown:
        options.markdown.write_text(page(facts, sections))


if __name__ == "__main__":
    main()
