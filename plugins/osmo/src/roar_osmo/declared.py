"""What the specification alone tells of an attempt: declared, not observed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import ObservedObject, TaskFragment
from roar_core.redaction import mask
from roar_osmo.rewrite import command_of, is_way_back
from roar_osmo.state import Attempt
from roar_osmo.workflow import Task

PART = "declared"


def declared(attempt: Attempt, task: Task | None, workflow: str, reason: str) -> TaskFragment:
    """A fragment of an attempt of which nothing came back, for `reason`."""
    return TaskFragment(
        task=attempt.task,
        name=attempt.task,
        state=attempt.state,
        started_at_ns=attempt.started_at_ns or 0,
        attempt=attempt.retry + 1,
        part=PART,
        command=() if task is None else command_of(task),
        where=attempt.node,
        duration_s=attempt.duration_s,
        exit_code=attempt.exit_code,
        objects=() if task is None else tuple(objects_of(task, workflow)),
        coverage=(CoverageReason("untraced", 1, reason),),
        needs=() if task is None else needs_of(task, workflow),
        group="" if task is None else task.group,
        declared=True,
    )


def objects_of(task: Task, workflow: str) -> Iterator[ObservedObject]:
    """The URLs that OSMO brings a task from, and takes what it made to; their bytes are unknown."""
    sides: tuple[tuple[Literal["input", "output"], tuple[dict[str, object], ...]], ...] = (
        ("input", task.inputs),
        ("output", task.outputs),
    )
    for direction, entries in sides:
        for entry in entries:
            url = entry.get("url")
            if isinstance(url, str) and not is_way_back(entry):
                yield ObservedObject(name_of(url, workflow), direction, 0)


def name_of(url: str, workflow: str) -> str:
    """What is called an object that OSMO finds at `url`: without a login, or another secret."""
    scheme, mark, rest = url.replace("{{workflow_id}}", workflow).partition("://")
    authority, slash, path = rest.partition("/")
    return mask(f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}").text


def needs_of(task: Task, workflow: str) -> tuple[str, ...]:
    """The tasks of the same workflow whose output folders it gets."""
    named = (name.removeprefix(f"{workflow}:") for name in task.upstream)
    return tuple(dict.fromkeys(name for name in named if ":" not in name))
