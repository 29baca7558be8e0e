"""What the specification alone tells of an attempt: declared, not observed."""

from __future__ import annotations

from collections.abc import Iterator

from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import ObservedObject, TaskFragment
from roar_osmo.rewrite import treatments_in  # noqa: F401
from roar_osmo.state import Attempt
from roar_osmo.workflow import Task

PART = "declared"


def declared(attempt: Attempt, task: Task | None, workflow: str, reason: str) -> TaskFragment:
    """A fragment of an attempt of which nothing came back, for `reason`."""
    words = f"task {attempt.task}: only what its specification declares is known: {reason}"
    duration_s = None
    if attempt.started_at_ns is not None and attempt.ended_at_ns is not None:
        duration_s = max(0.0, (attempt.ended_at_ns - attempt.started_at_ns) / 1e9)
    return TaskFragment(
        task=attempt.task,
        name=attempt.task,
        state=attempt.state,
        started_at_ns=attempt.started_at_ns or 0,
        attempt=attempt.retry + 1,
        part=PART,
        command=() if task is None else (*task.command, *task.arguments),
        where=attempt.node,
        duration_s=duration_s,
        exit_code=attempt.exit_code,
        objects=() if task is None else tuple(_objects(attempt, task, workflow)),
        coverage=(CoverageReason("declared", 1, words),),
    )
