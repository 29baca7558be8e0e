"""Give up a job whose machine or container never came back, so that it runs for ever in no list.

What its journal holds is not read: that names files as the other machine saw them, whose own disks
are not here, and judging it here would tell of this machine's packages and files.
"""

from __future__ import annotations

import os

import attrs

from roar_core.errors import RefusedError
from roar_core.journal_file import is_held
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.job import Job
from roar_core.project import Project
from roar_core.store.owner import Owner
from roar_core.store.writer import RunningJob, Store

CODE = "abandoned"


def abandonable(project: Project, store: Store, job: Job) -> RunningJob:
    """A running job that nobody here can see, and so nobody here will ever complete.

    Raises RefusedError for one that has ended, and for one that runs here as far as is known.
    """
    name = str(job.step or job.uid[:8])
    found = [each for each in store.running_jobs() if each.job.uid == job.uid]
    if not found:
        raise RefusedError(f"{name} has ended ({job.state}); there is nothing to abandon")
    [running] = found
    if not store.is_elsewhere(running):
        raise RefusedError(
            f"{name} runs on this machine; stop it, and the next roar command records how it ended"
        )
    is_here = running.owner.boot_id == Owner.current().boot_id
    if is_here and is_held(os.fspath(project.journals / f"{job.uid}.jnl")):
        raise RefusedError(
            f"{name} runs in a container of this machine, and is still observed there; stop it"
        )
    return running


def abandon(store: Store, running: RunningJob) -> Job:
    """Record a job as interrupted, by hand; one that was completed meanwhile stays as it is then.

    A roar that lives on after all, elsewhere, finds it completed and changes nothing.
    """
    where = running.owner.machine or "its machine"
    reason = CoverageReason(CODE, 1, f"given up by hand: {where} never told what it read and wrote")
    return store.complete(
        attrs.evolve(running.job, state="interrupted", coverage=Coverage((reason,)))
    )
