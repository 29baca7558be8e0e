"""The processes of a job that was submitted: what its driver did, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal

import attrs

from roar_core.model.fragment import TaskFile, TaskFragment
from roar_ray import belongings
from roar_ray.report import Report

State = Literal["succeeded", "failed", "interrupted"]
NAME = "driver"
_ENDS: Mapping[str, State] = {"SUCCEEDED": "succeeded", "FAILED": "failed"}


def driver(
    process: Mapping[str, Any],
    worker: TaskFragment,
    jobs: Sequence[Mapping[str, Any]],
    report: Report,
) -> TaskFragment:
    """What a process of a submitted job did, as a task; `jobs` is what is known of the job."""
    words, cwd, pid = (process.get(key) for key in ("words", "cwd", "pid"))
    return attrs.evolve(
        worker,
        name=NAME,
        role="task",
        command=tuple(map(str, words)) if isinstance(words, list) else (),
        cwd=cwd if isinstance(cwd, str) else None,
        read=tuple(filter(_is_theirs, worker.read)),
        written=tuple(filter(_is_theirs, worker.written)),
        state=_state(process, worker, jobs),
        needs=report.fetched_by(pid) if isinstance(pid, int) else (),
    )


def _is_theirs(file: TaskFile) -> bool:
    return not belongings.is_ray_s(PurePath(file.path))


def _state(
    process: Mapping[str, Any], worker: TaskFragment, jobs: Sequence[Mapping[str, Any]]
) -> State:
    """By its exit code, which only the library sees; else by what Ray says of the job."""
    if worker.exit_code is not None:
        return worker.state
    if process.get("has_ended") is not True:
        return "interrupted"
    return next((_ENDS[job["status"]] for job in jobs if job.get("status") in _ENDS), "succeeded")
