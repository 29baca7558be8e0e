"""Digests of many files: cached ones first, small ones in batches, large ones one by one."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from roar_core.hashing.cache import StatCache as StatCache
from roar_core.hashing.digests import Digested, check_algorithms, digest_file
from roar_core.hashing.failures import HashError
from roar_core.hashing.failures import HashFailure as HashFailure
from roar_core.hashing.threads import core_count, may_thread
from roar_core.hashing.work import Progress as Progress
from roar_core.hashing.work import Task, Work
from roar_core.model.fingerprint import Fingerprint

# Below this a file costs Python more than it costs BLAKE3, and a second thread only fights for the
# interpreter (4 KB files: 11 us each with one thread, 16 with two; 100 KB: 35 and 19).
_TINY_BYTES = 32 << 10
_TINY_BATCH_FILES = 512
_BATCH_BYTES = 1 << 20
# Waits per file from which on more threads pay: then the disk is what holds the round up.
_WAITS_PER_FILE = 0.2


class _StoppedError(Exception):
    """Hashing was interrupted in the middle of a file."""


_Outcomes = list[tuple[Task, Digested | HashFailure]]


def hash_files(
    requests: Sequence[tuple[str, Fingerprint | None]],
    *,
    cache: StatCache | None = None,
    algorithms: Sequence[str] = ("blake3",),
    workers: int = 0,
    on_progress: Progress | None = None,
) -> dict[str, Digested | HashFailure]:
    """Digest every (path, version wanted); a version of None means whatever is there now.

    A cached digest is taken where its fingerprint matches; new ones are remembered once settled,
    also when this is interrupted. `workers` bounds the threads (0: one per core, and a few more
    while a disk is waited for). `on_progress(bytes done, bytes to read in all, files done)` is
    called from the calling thread. A path asked for twice is hashed once, as first asked. Nothing
    is raised for a file that cannot be hashed; UsageError for an unknown algorithm.
    """
    work = Work(check_algorithms(algorithms), cache, on_progress)
    tasks = work.plan(requests)
    try:
        _hash_all(work, tasks, workers)
    finally:
        work.remember()
    return work.results


def _hash_all(work: Work, tasks: Sequence[Task], workers: int) -> None:
    # Only blake3 uses several cores for one file; with other algorithms files run side by side.
    one_by_one = work.algorithms == ("blake3",)
    tiny: list[Task] = []
    middle: list[Task] = []
    large: list[Task] = []
    for task in tasks:
        if task.size < _TINY_BYTES:
            tiny.append(task)
        elif task.is_large and one_by_one:
            large.append(task)
        else:
            middle.append(task)
    tiny_batches = _batches(tiny)
    batches = tiny_batches + _batches(middle)
    count = min(workers or max(4, core_count()), len(batches))
    if count > 1 and may_thread():
        done = _hash_until_waiting(work, tiny_batches)
        _hash_in_threads(work, batches[done:], count)
    else:
        for batch in batches:
            work.finish(_hash_batch(batch, work.advance))
    for task in large:
        work.finish([(task, _outcome(task, workers, work.advance))])


def _batches(tasks: Sequence[Task]) -> list[list[Task]]:
    batches: list[list[Task]] = []
    room_bytes = 0
    for task in tasks:
        if room_bytes <= 0 or len(batches[-1]) == _TINY_BATCH_FILES:
            batches.append([])
            room_bytes = _BATCH_BYTES
        batches[-1].append(task)
        room_bytes -= task.size
    return batches


def _hash_until_waiting(work: Work, batches: Sequence[list[Task]]) -> int:
    """Hash batches in this thread until one waited for the disk; returns how many were hashed."""
    for number, batch in enumerate(batches, 1):
        before = _waits()
        work.finish(_hash_batch(batch, work.advance))
        if _waits() - before > _WAITS_PER_FILE * len(batch):
            return number
    return len(batches)


def _waits() -> int:
    # Not time: a core shared with another process would look like a slow disk.
    own = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)  # Linux only
    return resource.getrusage(own).ru_nvcsw


def _hash_in_threads(work: Work, batches: Sequence[list[Task]], count: int) -> None:
    """Hash batches in `count` threads; this one takes in what they report until all have ended."""
    reports: SimpleQueue[_Outcomes | int | None] = SimpleQueue()
    todo = iter(batches)
    lock = threading.Lock()
    stopped = threading.Event()

    def advance(count_bytes: int) -> None:
        if stopped.is_set():
            raise _StoppedError
        reports.put(count_bytes)

    def hash_next() -> None:
        try:
            while not stopped.is_set():
                with lock:
                    batch = next(todo, None)
                if batch is None:
                    return
                reports.put(_hash_batch(batch, advance))
        except _StoppedError:
            return
        finally:
            reports.put(None)

    threads = [threading.Thread(target=hash_next, name="roar-hash") for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            while (report := reports.get()) is not None:
                if isinstance(report, int):
                    work.advance(report)
                else:
                    work.finish(report)
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _hash_batch(batch: Sequence[Task], advance: Callable[[int], None]) -> _Outcomes:
    return [(task, _outcome(task, 1, advance)) for task in batch]


def _outcome(task: Task, threads: int, advance: Callable[[int], None]) -> Digested | HashFailure:
    try:
        return digest_file(
            task.path,
            task.algorithms,
            expected=task.expected,
            threads=threads,
            advance=advance if task.is_large else None,
        )
    except HashError as problem:
        return HashFailure.of(problem)
