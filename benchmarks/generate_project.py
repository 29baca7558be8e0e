"""Make a project with many recorded jobs, and time the questions that commands ask of its database.

    python benchmarks/generate_project.py DIRECTORY [--jobs 10000] [--per-session 200] [--time]

The jobs are recorded by the store itself, as `roar run` does: pipelines of ten steps, each step
reading what the two steps before it wrote, ten files each, and writing ten; a pipeline goes on from
the one before, but for every sixtieth, which reads what nobody made. Every third pipeline is a
rerun of the one before with half of its results changed. Ten thousand jobs have 300,000 edges.
`--per-session 0` puts all of them into one session. An existing database is only timed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from blake3 import blake3

from roar_core.model.environment import Environment, GitState, Packages
from roar_core.model.job import Edge, Job
from roar_core.store.owner import Owner
from roar_core.store.writer import Store

STEPS = 10
FILES = 10
# So many pipelines go on from each other: what is made last comes from 600 jobs.
CHAIN = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--per-session", type=int, default=200, help="0: one session for all")
    parser.add_argument("--time", action="store_true", help="time the queries")
    arguments = parser.parse_args()
    root = arguments.directory.resolve()
    if not (root / ".roar" / "roar.db").exists():
        root.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        generate(root, arguments.jobs, arguments.per_session)
        print(f"{arguments.jobs} jobs recorded in {time.perf_counter() - began:.1f} s")
    if arguments.time:
        time_queries(root)


def generate(root: Path, jobs: int, per_session: int) -> None:
    """Record `jobs` jobs in `root`/.roar/roar.db."""
    owner = Owner.current()
    with Store.open(root / ".roar", create=True) as store:
        # Only here: a crash may cost the benchmark its database.
        with store.reading() as db:
            db.execute("PRAGMA synchronous = OFF")
        for number in range(jobs):
            if per_session and number and number % per_session == 0:
                store.reset(_time_of(number))
            job = store.begin(_job(root, number), owner=owner)
            store.complete(_completed(job, root, number))


def _time_of(number: int) -> int:
    return 1_760_000_000_000_000_000 + number * 60_000_000_000


def _place(number: int) -> tuple[int, int, int]:
    """Return (pipeline, its version, step): every third pipeline repeats the one before."""
    pipeline, step = divmod(number, STEPS)
    is_rerun = pipeline % 3 == 2
    return pipeline - is_rerun, int(is_rerun), step


def _job(root: Path, number: int) -> Job:
    pipeline, _, step = _place(number)
    return Job(
        uid=blake3(b"uid %d" % number).hexdigest()[:32],
        kind="run",
        command=("python", f"steps/step_{step}.py", "--pipeline", str(pipeline)),
        cwd=str(root),
        project=str(root),
        state="running",
        started_at_ns=_time_of(number),
        git=GitState(
            "8f3a1c0de5b7a49c2f6d1e0b9a8c7d6e5f4a3b2c", "main", "https://example.org/x.git"
        ),
    )


def _edge(root: Path, pipeline: int, version: int, step: int, file: int) -> Edge:
    path = f"data/pipeline_{pipeline:05}/step_{step}/part_{file}.parquet"
    # A rerun changes the results of the later steps.
    content = f"{path} {version if step >= STEPS // 2 else 0}".encode()
    return Edge(f"{root}/{path}", 4096 + file, {"blake3": blake3(content).hexdigest()})


def _inputs(root: Path, pipeline: int, version: int, step: int) -> tuple[Edge, ...]:
    """What the two steps before wrote; a step before the first is of the pipeline before."""
    edges: list[Edge] = []
    for back in (1, 2):
        before = pipeline, version, step - back
        if step < back and pipeline % CHAIN:
            # Every third number is a rerun and made nothing of its own name.
            previous = pipeline - (2 if pipeline % 3 == 0 else 1)
            before = previous, 0, step - back + STEPS
        edges += [_edge(root, *before, file) for file in range(FILES)]
    return tuple(edges)


def _completed(job: Job, root: Path, number: int) -> Job:
    pipeline, version, step = _place(number)
    failed = number % 97 == 0
    return attrs.evolve(
        job,
        state="failed" if failed else "succeeded",
        exit_code=int(failed),
        duration_s=12.5,
        tracer="preload",
        inputs=_inputs(root, pipeline, version, step),
        outputs=tuple(_edge(root, pipeline, version, step, file) for file in range(FILES)),
        packages=Packages({f"package-{n}": f"1.{n}" for n in range(60)}, {"libc6": "2.36"}),
        environment=Environment("Debian 12", "x86_64", "cpython 3.11.7", "a processor", 2**34),
    )


def time_queries(root: Path) -> None:
    """Print the median of each question, in milliseconds, and what opening costs."""
    project = str(root)

    def opened(question: Callable[[Store], Any]) -> Callable[[], Any]:
        def ask() -> Any:
            with Store.open(root / ".roar", read_only=True) as store:
                return question(store)

        return ask

    with Store.open(root / ".roar", read_only=True) as store:
        newest = store.summaries(limit=1)[-1].job
        file = store.job(newest.uid).inputs[0]
    assert newest.hash is not None
    assert file.hash is not None
    artifact, short = file.hash, newest.hash[:15]
    questions: dict[str, Callable[[Store], Any]] = {
        "open, nothing else": lambda store: None,
        "orphans": Store.orphans,
        "job by uid, edges and all": lambda store: store.job(newest.uid),
        "@N": lambda store: store.resolve(str(newest.step), project, project),
        "job by hash prefix": lambda store: store.resolve(short, project, project),
        "artifact by hash": lambda store: store.resolve(artifact, project, project),
        "history of a path": lambda store: store.history_of_path(file.path, project),
        "producer of a path": lambda store: store.producer_of_path(file.path, project),
        "is it an output": lambda store: store.is_output(file.path),
        "session in numbers": Store.session_summary,
        "all sessions in numbers": Store.sessions,
        "newest 20 of the session": lambda store: store.summaries(limit=20),
        "the session, light": Store.summaries,
        "the session, everything": Store.jobs_of_session,
        "hash of the session": Store.session_hash,
    }
    for name, question in questions.items():
        print(f"{name:<28} {median_ms(opened(question)):8.2f} ms")


def median_ms(action: Callable[[], Any], repeats: int = 7) -> float:
    """Return the median time of `action` over a few calls."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
