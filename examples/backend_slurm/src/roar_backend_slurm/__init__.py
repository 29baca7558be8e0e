"""An execution backend for Slurm: what `srun` and `sbatch` start is observed where it runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath

from roar_backend_slurm.client import FRONT, US
from roar_core.hookspecs import BackendPlan, ExecutionBackend, Match, RunContext, hookimpl
from roar_core.model.fragment import TaskCoverage, TaskFragment
from roar_core.reports import Reports

CLIENTS = ("srun", "sbatch")


class SlurmBackend:
    """Steps and batch scripts, started by the run's command or anywhere inside."""

    name = "slurm"
    priority = 50
    collect_every_s = 0.0

    def detect(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Match | None:
        client = PurePath(argv[0]).name
        return Match(100, client) if client in CLIENTS else None

    def plan(self, run: RunContext, environ: Mapping[str, str]) -> BackendPlan:
        ours = (*US, str(run.folder), str(run.project))
        return BackendPlan((*ours, *run.command), {**environ, **self.adopt(run, environ)})

    def adopt(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        search = environ.get("PATH", os.defpath)
        if shutil.which("srun", path=search) is None:
            return {}  # nothing inside can find a client either
        Reports(run.folder).ask_for_carrier(run.project, environ)
        (front := run.folder / FRONT).mkdir(exist_ok=True)
        for client in CLIENTS:
            ours = shlex.join((*US, str(run.folder), str(run.project), client))
            (front / client).write_text(f'#!/bin/sh\nexec {ours} "$@"\n')
            (front / client).chmod(0o755)
        return {"PATH": f"{front}{os.pathsep}{search}"}

    def claims(self, run: RunContext, path: PurePath) -> bool:
        return path.name == "slurm_script" or path.parent == Path(__file__).parent  # a node's copy

    def collect(self, run: RunContext) -> Iterable[TaskFragment]:
        return Reports(run.folder, is_over()).fragments()

    def coverage(self, run: RunContext) -> TaskCoverage:
        return Reports(run.folder, is_over()).coverage()

    def finalise(self, run: RunContext) -> None:
        """All there is lies in the run's folder, which roar deletes."""


@hookimpl
def roar_backends() -> list[ExecutionBackend]:
    """Offer the backend."""
    return [SlurmBackend()]


def is_over() -> Callable[[str], bool]:
    """Whether Slurm has done with a task's job; it raises when Slurm does not answer."""

    @cache
    def queued() -> set[str]:
        squeue = ("squeue", "--me", "--noheader", "--format=%F")  # an array by its first id
        done = subprocess.run(squeue, capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    return lambda task: re.split("[._]", task)[0] not in queued()
