"""Complete what a killed roar left behind, from the journal it was following.

The command was not killed with roar and may run on: its journal is then left alone until it has
ended, and until whoever observes it has written the last of it. How it ended is known when roar
lived to reap it; otherwise the job is recorded as `interrupted`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import attrs

from roar_core.config.layers import load
from roar_core.errors import JournalError
from roar_core.journal import Kind, Record, RecoveredJournal, open_existing
from roar_core.journal_file import is_held, remove
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Job
from roar_core.project import Project
from roar_core.run.begun import BegunJob
from roar_core.run.beside import Alone, Company
from roar_core.run.code import code_of_recovered
from roar_core.run.extensions import Extensions
from roar_core.run.inner import inner_runs
from roar_core.run.partners import pending
from roar_core.run.processes import ProcessTree
from roar_core.run.record import Finished, record_job
from roar_core.run.relay import Ended
from roar_core.store.owner import Owner
from roar_core.store.writer import RunningJob, Store

Tell = Callable[[str], None]

_DIED = CoverageReason("interrupted", 1, "roar ended before it had recorded the run")
_DIED_MOVING = CoverageReason("interrupted", 1, "roar ended before everything was moved")
_NO_JOURNAL = CoverageReason("journal_lost", 1, "the journal of this run is gone or unreadable")


def recover_interrupted(project: Project, store: Store, warn: Tell) -> list[Job]:
    """Complete every job whose roar and whose command are gone; returns them as recorded.

    `warn` is told of backends and storage proxies that fail to tell what they know of a run.
    """
    recovered = []
    for running in store.orphans():
        job = _recover(project, store, running, warn)
        if job is not None:
            recovered.append(job)
    return recovered


def _recover(project: Project, store: Store, running: RunningJob, warn: Tell) -> Job | None:
    if running.job.kind in ("get", "put"):
        # What was moved until then is there, and the next attempt records it.
        return store.complete(
            attrs.evolve(running.job, state="interrupted", coverage=Coverage((_DIED_MOVING,)))
        )
    path = os.fspath(project.journals / f"{running.job.uid}.jnl")
    if is_held(path):
        return None
    contents = contents_of(path)
    records = contents.records if contents else ()
    ended = ended_as_told_by(records, running.owner.pid)
    is_here = running.owner.boot_id == Owner.current().boot_id
    if ended is None and contents is not None and is_here and still_runs(contents):
        return None
    config = load(project.root, project.roar_dir, os.environ)
    begun = BegunJob(project, config, store, running.job, code_of_recovered(running.job))
    companions = _companions(begun, warn)
    finished = finished_by(contents, ended)._replace(beside=companions.finish(begun, store))
    # The variables of the command died with its roar; those of this one may name another server.
    extensions = Extensions.prepare(project, config, environ={})
    recorded = record_job(begun, finished, extensions)
    remove(path)
    companions.let_go()
    return recorded.job


def _companions(begun: BegunJob, warn: Tell) -> Company:
    if not any(pending(begun.project, begun.job.uid, kind) for kind in ("backend", "proxy")):
        return Alone()
    from roar_core.run.companions import companions_left

    return companions_left(begun.project, begun.job, warn)


def finished_by(contents: RecoveredJournal | None, ended: Ended | None) -> Finished:
    """What a journal tells of a command whose roar did not live to record it."""
    if contents is None:
        return Finished([], ended, None, _nothing_early, reasons=(_NO_JOURNAL,))
    inner = inner_runs(contents.wanted)
    return Finished(
        records=inner.merged_into(list(contents.records)),
        ended=ended,
        duration_s=_duration(contents.records),
        early=_nothing_early,
        clock_ns=contents.header.created_realtime_ns - contents.header.created_monotonic_ns,
        lost=contents.lost + inner.lost,
        unreadable_bytes=contents.unreadable_bytes + inner.unreadable_bytes,
        reasons=(_DIED, *inner.reasons),
    )


def contents_of(path: str) -> RecoveredJournal | None:
    """All that a journal holds; None when it is gone or unreadable."""
    try:
        return open_existing(path)
    except (JournalError, OSError):
        return None


def ended_as_told_by(records: Sequence[Record], pid: int) -> Ended | None:
    """How roar itself, the process that wrote the journal's own EXIT, saw the command end."""
    for record in records:
        if record.kind == Kind.EXIT and record.pid == pid:
            return Ended(record.value)
    return None


def still_runs(contents: RecoveredJournal) -> bool:
    """Whether a process of the tree is alive on this machine, as far as can be told."""
    if not contents.header.is_of_this_boot:
        return False  # its numbers are others' here
    tree = ProcessTree()
    tree.take(contents.records)
    return bool(tree.survivors(contents.header.created_monotonic_ns / 1e9))


def _duration(records: Sequence[Record]) -> float | None:
    """From the first to the last thing that was reported: the best that is known, in seconds."""
    times = [record.time_ns for record in records]
    return (max(times) - min(times)) / 1e9 if times else None


def _nothing_early(_: Fingerprint) -> None:
    """What the killed roar had hashed early died with it."""
