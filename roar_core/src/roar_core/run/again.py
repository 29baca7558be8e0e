"""Collect the tasks of runs that were recorded before all of their tasks had reported."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from roar_core.config.layers import load
from roar_core.errors import NotFoundError
from roar_core.model.job import Job
from roar_core.project import Project
from roar_core.run.backends import CODES
from roar_core.run.begun import BegunJob
from roar_core.run.code import code_of_recovered
from roar_core.run.companions import companions_left
from roar_core.run.partners import runs_with_partners
from roar_core.store.tasks import merged_parts, replace_reasons, settle_tasks
from roar_core.store.writer import Store


class Collected(NamedTuple):
    """A run, how many parts of its tasks came in, and whether more may come."""

    job: Job
    merged: int
    is_open: bool


def collect_again(project: Project, store: Store, warn: Callable[[str], None]) -> list[Collected]:
    """Collect for every run that a backend has not let go of; those that still run are left alone.

    `warn` is told of backends that fail. Raises ConfigError when settings cannot be read.
    """
    found = []
    for uid in runs_with_partners(project):
        try:
            job = store.job(uid)
        except NotFoundError:  # its roar is about to begin it, or was killed just before
            continue
        if job.state != "running":
            found.append(_collect(project, store, job, warn))
    return found


def _collect(project: Project, store: Store, job: Job, warn: Callable[[str], None]) -> Collected:
    config = load(project.root, project.roar_dir, os.environ)
    begun = BegunJob(project, config, store, job, code_of_recovered(job))
    companions = companions_left(project, job, warn)
    before = len(merged_parts(store, job.uid))
    reasons = companions.collect_late(begun, store)
    settle_tasks(store, job.uid)
    replace_reasons(store, job.uid, CODES, reasons)
    companions.let_go()
    merged = len(merged_parts(store, job.uid)) - before
    return Collected(store.job(job.uid), merged, job.uid in runs_with_partners(project))
