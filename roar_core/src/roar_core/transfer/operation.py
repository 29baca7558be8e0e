"""Move what a plan says and record it, whole, in part or interrupted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import attrs

from roar_core.errors import RoarError
from roar_core.model.coverage import CoverageReason
from roar_core.model.job import Job, JobState
from roar_core.store.tags import tag_job
from roar_core.transfer import getting, putting
from roar_core.transfer.crew import Crew
from roar_core.transfer.fetching import Fetched
from roar_core.transfer.getting import GetPlan, GetWishes
from roar_core.transfer.progress import TransferProgress
from roar_core.transfer.putting import Done, PutPlan, PutWishes
from roar_core.transfer.record import Books, Moved, begin, complete, earlier, remember

_STATES = "transfers"


class Outcome(NamedTuple):
    """What came of a transfer.

    `is_new` is false when an earlier job had done exactly this: then that one is `job`. `moved`
    came now, `there` was there before. `failures` say what did not come.
    """

    job: Job
    moved: tuple[Moved, ...]
    there: tuple[Moved, ...]
    failures: tuple[RoarError, ...] = ()
    is_new: bool = True
    is_interrupted: bool = False


@attrs.frozen
class Particulars:
    """What a job is told beside its files: tags as `tag_job` takes them, folders that are one."""

    tags: tuple[tuple[str, str, str], ...] = ()
    datasets: tuple[str, ...] = ()


Move = Callable[[Crew, TransferProgress, list[Moved]], None]


def get_files(
    plan: GetPlan, wishes: GetWishes, books: Books, job: Job, particulars: Particulars
) -> Outcome:
    """Fetch and record. Raises RoarError when it cannot be begun."""
    getting.require_room(plan)

    def move(crew: Crew, progress: TransferProgress, into: list[Moved]) -> None:
        done: list[Fetched] = []
        try:
            getting.fetch_all(
                *(plan, wishes, crew),
                algorithms=books.algorithms,
                done=done,
                advance=progress.advance,
                tick=progress.tick,
            )
        finally:
            into += map(_fetched, done)

    progress = TransferProgress("getting", plan.bytes_to_move, len(plan.fetches))
    there = [_fetched(each) for each in plan.same]
    return _carry_out(books, job, there, move if plan.fetches else None, progress, particulars)


def put_files(
    plan: PutPlan, wishes: PutWishes, books: Books, job: Job, particulars: Particulars
) -> Outcome:
    """Upload and record. Raises RoarError when it cannot be begun."""
    states = Path(os.fspath(books.project.roar_dir), _STATES)

    def move(crew: Crew, progress: TransferProgress, into: list[Moved]) -> None:
        done: list[Done] = []
        try:
            putting.put_all(
                *(plan, wishes, crew, states),
                done=done,
                cache=books.store,
                algorithms=books.algorithms,
                advance=progress.advance,
                tick=progress.tick,
            )
        finally:
            into += map(_put, done)

    progress = TransferProgress("putting", plan.bytes_to_move, len(plan.puts))
    there = [_put(each) for each in plan.same]
    return _carry_out(books, job, there, move if plan.puts else None, progress, particulars)


def _carry_out(
    books: Books,
    job: Job,
    there: Sequence[Moved],
    move: Move | None,
    progress: TransferProgress,
    particulars: Particulars,
) -> Outcome:
    datasets = particulars.datasets
    if move is None:
        before = earlier(books, job, there, datasets)
        if before is not None:
            return Outcome(before, (), tuple(there), is_new=False)
    job = begin(books, job)
    if particulars.tags:
        tag_job(books.store, job.uid, particulars.tags)
    moved: list[Moved] = []
    crew, is_interrupted = Crew(), False
    if move is not None:
        try:
            with progress:
                move(crew, progress, moved)
        except KeyboardInterrupt:
            is_interrupted = True
    remember(books, moved, time.time_ns())
    state: JobState = (
        "interrupted" if is_interrupted else "failed" if crew.failures else "succeeded"
    )
    reasons = _reasons(len(there) + len(moved), is_interrupted=is_interrupted)
    job = complete(books, job, [*there, *moved], state=state, reasons=reasons, datasets=datasets)
    failures = tuple(crew.failures)
    return Outcome(job, tuple(moved), tuple(there), failures, is_interrupted=is_interrupted)


def _reasons(files: int, *, is_interrupted: bool) -> Iterable[CoverageReason]:
    if is_interrupted:
        yield CoverageReason("interrupted", 1, f"interrupted when {files:,} files were there")


def _fetched(each: Fetched) -> Moved:
    return Moved(each.target, each.fingerprint, dict(each.digests), each.source)


def _put(each: Done) -> Moved:
    return Moved(each.put.path, each.put.fingerprint, dict(each.digests), each.there)
