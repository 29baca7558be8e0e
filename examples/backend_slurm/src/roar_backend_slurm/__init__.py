"""An execution backend for Slurm: what `srun` and `sbatch` start is observed where it runs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from roar_core.hookspecs import BackendPlan, ExecutionBackend, Match, PluginConfig, RunContext
from roar_core.hookspecs import hookimpl
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import TaskCoverage, TaskFragment

if TYPE_CHECKING:
    from roar_core.reports import Reports

CLIENTS = ("srun", "sbatch")
REPORT = "ROAR_SLURM_REPORT"
PROJECT = "ROAR_SLURM_PROJECT"
US = (sys.executable, "-m", "roar_backend_slurm")


class SlurmBackend:
    """Steps and batch scripts, started by the run's command or anywhere inside."""

    name = "slurm"
    priority = 50
    collect_every_s = 0.0

    def detect(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Match | None:
        client = PurePath(argv[0]).name
        return Match(100, client) if client in CLIENTS else None

    def plan(self, run: RunContext, environ: Mapping[str, str]) -> BackendPlan:
        return BackendPlan((*US, *run.command), {**environ, **self.adopt(run, environ)})

    def adopt(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        search = environ.get("PATH", os.defpath)
        if shutil.which("srun", path=search) is None:
            return {}  # no Slurm here
        ours = run.folder / "bin"
        ours.mkdir(exist_ok=True)
        for client in CLIENTS:
            (ours / client).write_text(f'#!/bin/sh\nexec {shlex.join((*US, client))} "$@"\n')
            (ours / client).chmod(0o755)
        path = f"{ours}{os.pathsep}{search}"
        return {"PATH": path, REPORT: str(run.folder), PROJECT: str(run.project)}

    def claims(self, run: RunContext, path: PurePath) -> bool:
        return path.name == "slurm_script"  # a node's copy of a batch script

    def collect(self, run: RunContext) -> Iterator[TaskFragment]:
        return _reports(run).fragments()

    def coverage(self, run: RunContext) -> TaskCoverage:
        found = _reports(run)
        told, begun = found.coverage(), {_job(task) for task in found.tasks()}
        submitted = {path.name for path in run.folder.glob("submitted/*")}
        waiting = len(submitted & _queued()) if submitted else 0
        words = "jobs that Slurm has not done with"
        return TaskCoverage(
            (told.known or 0) + len(submitted - begun),
            is_final=told.is_final and not waiting,
            reasons=(*told.reasons, *([CoverageReason("tasks", waiting, words)] if waiting else [])),
        )

    def finalise(self, run: RunContext) -> None:
        """All there is lies in the run's folder, which roar deletes."""


@hookimpl
def roar_backends(config: PluginConfig) -> list[ExecutionBackend]:
    """Offer the backend."""
    return [SlurmBackend()]


def _reports(run: RunContext) -> Reports:
    from roar_core.reports import Reports

    return Reports(run.folder, lambda attempt: _job(attempt.task) not in _queued())


def _queued() -> set[str]:
    """The jobs that wait or run, each array once; raises when Slurm does not answer."""
    squeue = ["squeue", "--me", "--noheader", "--format=%F"]
    return set(subprocess.run(squeue, capture_output=True, text=True, check=True).stdout.split())


def _job(task: str) -> str:
    """The job that a task belongs to, without its place in an array: `7` of `7_1.batch.0`."""
    return task.partition(".")[0].partition("_")[0]
