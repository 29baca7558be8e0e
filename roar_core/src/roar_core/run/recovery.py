"""Complete what a killed roar left behind, from the journal it was following.

The command was not killed with roar and may run on: its journal is then left alone until it has
ended. How it ended is known when roar lived to reap it; otherwise the job is recorded as
`interrupted`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from roar_core.config.layers import load
from roar_core.errors import JournalError
from roar_core.journal import Kind, Record, RecoveredJournal, open_existing
from roar_core.journal_file import remove
from roar_core.model.coverage import CoverageReason
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Job
from roar_core.project import Project
from roar_core.run.begun import BegunJob
from roar_core.run.code import code_of_recovered
from roar_core.run.extensions import Extensions
from roar_core.run.processes import ProcessTree
from roar_core.run.record import Finished, record_job
from roar_core.run.relay import Ended
from roar_core.store.owner import Owner
from roar_core.store.writer import RunningJob, Store

_DIED = CoverageReason("interrupted", 1, "roar ended before it had recorded the run")
_NO_JOURNAL = CoverageReason("journal_lost", 1, "the journal of this run is gone or unreadable")


def recover_interrupted(project: Project, store: Store) -> list[Job]:
    """Complete every job whose roar and whose command are gone; returns them as recorded."""
    recovered = []
    for running in store.orphans():
        job = _recover(project, store, running)
        if job is not None:
            recovered.append(job)
    return recovered


def _recover(project: Project, store: Store, running: RunningJob) -> Job | None:
    path = os.fspath(project.journals / f"{running.job.uid}.jnl")
    contents = _contents(path)
    records = list(contents.records) if contents else []
    ended = _ended(records, running.owner)
    if ended is None and _still_runs(records, contents, running.owner):
        return None
    config = load(project.root, project.roar_dir, os.environ)
    code = code_of_recovered(running.job)
    finished = Finished(
        records=records,
        ended=ended,
        duration_s=_duration(records),
        early=_nothing_early,
        clock_ns=_clock(contents),
        lost=contents.lost if contents else 0,
        unreadable_bytes=contents.unreadable_bytes if contents else 0,
        reasons=(_DIED,) if contents else (_NO_JOURNAL,),
    )
    # The variables of the command died with its roar; those of this one may name another server.
    extensions = Extensions.prepare(project, config, environ={})
    begun = BegunJob(project, config, store, running.job, code)
    recorded = record_job(begun, finished, extensions)
    remove(path)
    return recorded.job


def _contents(path: str) -> RecoveredJournal | None:
    try:
        return open_existing(path)
    except (JournalError, OSError):
        return None


def _ended(records: Sequence[Record], owner: Owner) -> Ended | None:
    """How roar itself, the process that wrote the journal's own EXIT, saw the command end."""
    for record in records:
        if record.kind == Kind.EXIT and record.pid == owner.pid:
            return Ended(record.value)
    return None


def _still_runs(records: Sequence[Record], contents: RecoveredJournal | None, owner: Owner) -> bool:
    if contents is None or owner.boot_id != Owner.current().boot_id:
        return False
    tree = ProcessTree()
    tree.take(records)
    return bool(tree.survivors(contents.header.created_monotonic_ns / 1e9))


def _duration(records: Sequence[Record]) -> float | None:
    """From the first to the last thing that was reported: the best that is known, in seconds."""
    times = [record.time_ns for record in records]
    return (max(times) - min(times)) / 1e9 if times else None


def _clock(contents: RecoveredJournal | None) -> int:
    if contents is None:
        return 0
    return contents.header.created_realtime_ns - contents.header.created_monotonic_ns


def _nothing_early(_: Fingerprint) -> None:
    """What the killed roar had hashed early died with it."""
