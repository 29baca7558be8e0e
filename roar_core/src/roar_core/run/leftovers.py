"""Delete what no job needs: its roar was killed just before the job was written."""

from __future__ import annotations

import os
import time

from roar_core.journal_file import remove
from roar_core.project import Project
from roar_core.store.writer import Store

# A journal is made milliseconds before its job; the rest is for clocks that are set meanwhile.
_CLAIMED_WITHIN_S = 60.0


def remove_unclaimed_runs(project: Project, store: Store) -> None:
    """Delete folders of companions that have lain there for a minute and belong to no job.

    A storage proxy that was started for the run ends with its folder.
    """
    before = time.time() - _CLAIMED_WITHIN_S
    try:
        old = [entry for entry in os.scandir(project.runs) if entry.stat().st_mtime < before]
    except OSError:  # mostly there is none
        return
    for entry in old:
        if not store.has_job(entry.name):
            import shutil

            shutil.rmtree(entry.path, ignore_errors=True)


def remove_unclaimed_journals(project: Project, store: Store) -> None:
    """Delete what has lain in the journals' folder for a minute and belongs to no running job."""
    before = time.time() - _CLAIMED_WITHIN_S
    try:
        old = [
            entry
            for entry in os.scandir(project.journals)
            if entry.name.endswith(".jnl") and entry.stat().st_mtime < before
        ]
    except OSError:  # another roar removes its own meanwhile; the next command looks again
        return
    if not old:
        return
    needed = {running.job.uid for running in store.running_jobs()}
    for entry in old:
        if entry.name.removesuffix(".jnl") not in needed:
            remove(entry.path)
