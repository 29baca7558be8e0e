"""What it takes to bring in ten thousand tasks that workers ran, with ten files each.

    python benchmarks/ray_merge.py [--rounds 5] [--profile]

Journals are written record by record, as the agent and the library in Ray's workers write them, of
a pipeline in four layers: each task reads files that all read, files of its own and what tasks of
the layer before wrote, and got the results of two of these. They are then read, judged and merged
into a new database, as at the end of `roar run`.
Digests are told by the workers' node, so nothing is hashed: benchmarks/hashing.py measures that.

Figures are seconds of processor time of this process; the least of the rounds is the one that the
rest of the machine disturbed least.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import attrs
from blake3 import blake3
from measure import ROAR, Figure
from reading import milliseconds

from roar_core.config.layers import load
from roar_core.garbage import collection_paused
from roar_core.journal_file import Header
from roar_core.journal_format import (
    CHUNK,
    HEADER,
    HEADER_SIZE,
    JOURNAL_MAGIC,
    JOURNAL_VERSION,
    Intent,
    Kind,
    TaskEvent,
    encode_record,
)
from roar_core.model.environment import GitState
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import TaskFragment
from roar_core.model.job import Job
from roar_core.project import Project
from roar_core.run.begun import BegunJob
from roar_core.run.code import Code
from roar_core.run.tasks import TaskMerger
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.task_journal import Eyes, read_tasks

TASKS, WORKERS, LAYERS = 10_000, 16, 4
BUDGET_S = 2.0
START_NS = 1_700_000_000 * 10**9
_FILE_MODE = 0o100644
_READ = Intent.READ
_MADE = Intent.WRITE | Intent.CREATED
# command, budget in seconds, None where there is none
ASKED = ((("show",), 0.15), (("dag",), 0.15), (("show", "--json"), None), (("dag", "--json"), None))


class Journals(NamedTuple):
    """The journals of a run's workers by name, and what the files they tell of are like.

    `given` has for each task those whose results it was given: the driver has told so.
    """

    content: dict[str, bytes]
    given: dict[str, tuple[str, ...]]
    versions: dict[str, Fingerprint]
    digests: dict[str, Mapping[str, str]]

    def eyes(self) -> Eyes:
        """How the node on which the workers ran sees its files."""
        return Eyes(
            look=self.versions.get,
            list_files=lambda directory: (),
            digests=lambda path, version: self.digests[path],
        )


class Worker:
    """Writes the journal of one worker process."""

    def __init__(self, number: int) -> None:
        self.pid = 1000 + number
        self._body = bytearray(HEADER_SIZE)
        self._now_ns = 10**9

    def add(self, kind: int, **fields: object) -> None:
        """Append a record of the worker's main thread, a tenth of a millisecond after the last."""
        self._now_ns += 100_000
        self._body += encode_record(
            len(self._body), kind, pid=self.pid, tid=self.pid, time_ns=self._now_ns, **fields
        )

    def tell(self, tag: int, event: TaskEvent, facts: object) -> None:
        """Append what the agent says of a task, or of its process."""
        text = json.dumps(facts).encode()
        self.add(Kind.TASK, value=tag << 8 | event, strings=[text])

    def open(self, path: str, version: Fingerprint, intent: int) -> None:
        """Append the opening of a file."""
        self.add(Kind.OPEN, value=intent, fingerprints=[version], strings=[os.fsencode(path)])

    def content(self) -> bytes:
        """The whole journal, as it lies on the disk."""
        size = len(self._body)
        header = Header(
            JOURNAL_MAGIC,
            JOURNAL_VERSION,
            HEADER_SIZE,
            run_uid=bytes(16),
            created_monotonic_ns=0,
            created_realtime_ns=START_NS,
            table_offset=0,
            table_slots=0,
            records_offset=HEADER_SIZE,
            chunk_size=CHUNK,
            preimage_wait_ms=0,
            reserved=0,
            boot_id=b"",
            tail=size,
            lost=0,
            allocated=size,
            doorbell=0,
            reader_alive=0,
            successor=b"",
        )
        return HEADER.pack(*header) + bytes(self._body[HEADER.size :])


class Pipeline:
    """Ten thousand tasks: which files each reads and writes, and whose results it got."""

    def __init__(self, project: str, tasks: int) -> None:
        self._project = project
        self._tasks = tasks
        self.given: dict[str, tuple[str, ...]] = {}
        self.versions: dict[str, Fingerprint] = {}
        self.digests: dict[str, Mapping[str, str]] = {}

    def task(self, number: int) -> str:
        """What Ray calls a task: 24 bytes in hex."""
        return blake3(b"task %d" % number).hexdigest()[:48]

    def file(self, name: str, changed_at_ns: int = START_NS - 10**12) -> tuple[str, Fingerprint]:
        """A file of the project, in its only version."""
        path = f"{self._project}/{name}"
        version = self.versions.get(path)
        if version is None:
            inode, times = len(self.versions) + 1, (changed_at_ns, changed_at_ns)
            version = Fingerprint(2049, inode, 4096, *times, _FILE_MODE, 1)
            self.versions[path] = version
            self.digests[path] = {"blake3": blake3(name.encode()).hexdigest()}
        return path, version

    def sources(self, number: int) -> list[int]:
        """The tasks of the layer before whose results a task got."""
        width = self._tasks // LAYERS
        before = number - width
        return [] if before < 0 else [before, before - before % width + (before + 1) % width]

    def carry_out(self, number: int, worker: Worker) -> None:
        """Write what a task does into its worker's journal: about ten opens."""
        sources = self.sources(number)
        facts = {"task": self.task(number), "attempt": 1, "name": f"step_{self.layer(number)}"}
        self.given[self.task(number)] = tuple(self.task(each) for each in sources)
        worker.tell(number + 1, TaskEvent.BEGIN, facts)
        worker.add(Kind.TASK_IS, value=number + 1)
        own = 7 - 2 * len(sources)
        for name in ("config.yaml", *(f"data/{number:05}/{i}.parquet" for i in range(own))):
            worker.open(*self.file(name), _READ)
        for source in sources:
            for i in range(2):
                worker.open(*self.file(self.made(source, i)), _READ)
        for i in range(2):
            worker.open(*self.file(self.made(number, i), START_NS + 10**9), _MADE)
        worker.tell(number + 1, TaskEvent.SUCCEEDED, {})

    def layer(self, number: int) -> int:
        """How many layers are before that of a task."""
        return number // (self._tasks // LAYERS)

    def made(self, number: int, which: int) -> str:
        """The name of a file that a task writes."""
        return f"out/step_{self.layer(number)}/{number:05}/part_{which}.parquet"


def journals(project: str, tasks: int, workers: int) -> Journals:
    """The journals of a pipeline of so many tasks, run by so many workers in turn."""
    pipeline = Pipeline(project, tasks)
    writers = [Worker(number) for number in range(workers)]
    for writer in writers:
        process = {"node": "n1", "host": "n1", "pid": writer.pid, "capture": "native"}
        writer.tell(0, TaskEvent.PROCESS, process)
    for number in range(tasks):
        pipeline.carry_out(number, writers[number % workers])
    content = {f"worker-{w.pid}.jnl": w.content() for w in writers}
    return Journals(content, pipeline.given, pipeline.versions, pipeline.digests)


def begin(project: Project, store: Store) -> BegunJob:
    """The job that drives the tasks, as `roar run` begins it."""
    root = os.fspath(project.root)
    job = Job(
        uid=os.urandom(16).hex(),
        kind="run",
        command=("python", "drive.py"),
        cwd=root,
        project=root,
        state="running",
        started_at_ns=START_NS,
    )
    job = store.begin(job, owner=Owner.current())
    config = load(project.root, project.roar_dir, {}, {})
    return BegunJob(project, config, store, job, Code(GitState(), lambda paths: frozenset()))


def told(made: Journals, project: Project) -> list[TaskFragment]:
    """All that the workers tell and then what the driver tells, as a backend gives it."""
    found: list[TaskFragment] = []
    for name, data in made.content.items():
        root = os.fspath(project.root)
        tasks = read_tasks(data, name, project=root, is_final=True, eyes=made.eyes())
        found += tasks.attempts
    found += [
        attrs.evolve(each, part=f"{each.part}+given", read=(), written=(), needs=needs)
        for each in found
        if (needs := made.given[each.task])
    ]
    return found


def nothing_claimed(paths: Iterable[str]) -> Callable[[str], bool]:
    """No path is a platform's own."""
    return lambda path: False


class Spent(NamedTuple):
    """Seconds of processor time: reading and judging the journals, merging, completing the run."""

    read_s: float
    merge_s: float
    complete_s: float

    @property
    def whole_s(self) -> float:
        """All of it."""
        return sum(self)


def bring_in(made: Journals, folder: Path, profile: cProfile.Profile | None = None) -> Spent:
    """Read the journals and merge what they tell into the database of a new project."""
    project = Project(folder)
    project.roar_dir.mkdir(parents=True)
    with Store.open(project.roar_dir, create=True) as store:
        begun = begin(project, store)
        # A backend's journals are read while its tasks are merged, which pauses the collector.
        with collection_paused(), profile or nullcontext():
            marks = [time.process_time()]
            fragments = told(made, project)
            marks.append(time.process_time())
            TaskMerger(begun, store, nothing_claimed).merge("ray", fragments)
            marks.append(time.process_time())
            store.complete(attrs.evolve(begun.job, state="succeeded", duration_s=60.0))
            marks.append(time.process_time())
    return Spent(*(after - before for before, after in pairwise(marks)))


def ask(command: tuple[str, ...], folder: Path) -> float:
    """Seconds of processor time of one `roar` command."""
    before = os.times()
    subprocess.run([ROAR, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


def section(rounds: int, tasks: int = TASKS, workers: int = WORKERS) -> str:
    """The figures as a section of the page, in Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        made = journals(os.fspath(folder), tasks, workers)
        spent = []
        for _ in range(rounds):
            shutil.rmtree(folder / ".roar", ignore_errors=True)
            spent.append(bring_in(made, folder))
        rows = [
            ("read and judge the journals", [each.read_s for each in spent], None),
            ("merge into the database", [each.merge_s for each in spent], None),
            ("complete the run", [each.complete_s for each in spent], None),
            ("all of it", [each.whole_s for each in spent], BUDGET_S),
        ]
        for command, budget_s in ASKED:
            figures = [ask(command, folder) for _ in range(rounds + 1)][1:]
            rows.append((f"`roar {' '.join(command)}`", figures, budget_s))
    return HEAD.format(tasks=tasks) + "".join(row(*each) for each in rows)


HEAD = """## Tasks that workers ran: {tasks:,} with ten files each

| | processor time | least | budget |
| --- | --- | --- | --- |
"""


def row(what: str, seconds: list[float], budget_s: float | None) -> str:
    """A line of the table."""
    least = min(seconds)
    budget = "" if budget_s is None else f"≤ {budget_s * 1000:.0f} ms"
    mark = " **over**" if budget_s is not None and least > budget_s else ""
    figure = milliseconds(Figure.of(seconds))
    return f"| {what} | {figure} | {least * 1000:.0f} ms | {budget}{mark} |\n"


def main() -> None:
    """Print the section, or where the time goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="tell which functions take the time")
    options = parser.parse_args()
    if not options.profile:
        print(section(options.rounds, options.tasks, options.workers))
        return
    profile = cProfile.Profile(time.process_time)
    with tempfile.TemporaryDirectory() as folder:
        made = journals(folder, options.tasks, options.workers)
        bring_in(made, Path(folder), profile)
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
