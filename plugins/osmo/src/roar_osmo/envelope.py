"""What a launcher has sent: a fragment, and what is needed to place it.

Paths are a container's. They are told as `/osmo/<workflow>/<task>/…`, with the task's output and
input folders directly below; what OSMO brought from an upstream task's output has the name that it
has there. So no file of a container is taken for one of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from roar_core.fragments import from_json
from roar_core.model.fragment import TaskFile, TaskFragment
from roar_osmo.declared import needs_of, objects_of
from roar_osmo.rewrite import FRAGMENTS, PLACE
from roar_osmo.state import Attempt
from roar_osmo.workflow import Task

ROOT = "/osmo"
# OSMO's own programs, credentials and sockets, and the launcher.
_PLATFORM = (
    *("/osmo/bin/", "/osmo/usr/", "/osmo/login/", "/osmo/run/", "/osmo/data/socket/"),
    f"{PLACE}/",
)


class Envelope(NamedTuple):
    """One delivery. `output` and `inputs` are the task's folders, as its container has them."""

    name: str
    workflow: str
    task: str
    host: str
    output: str
    inputs: tuple[str, ...]
    fragment: TaskFragment


def opened(name: str, content: bytes) -> Envelope:
    """Read an envelope; ValueError when it is none."""
    try:
        told = json.loads(content)
        if told["roar_osmo"] != 1:
            raise ValueError(f"an envelope of version {told['roar_osmo']!r}, expected 1")
        texts = {key: told[key] for key in ("workflow", "task", "host", "output")}
        inputs = tuple(told["inputs"])
        if not all(isinstance(text, str) for text in (*texts.values(), *inputs)):
            raise ValueError("an envelope's places must be strings")
        fragment = from_json(json.dumps(told["fragment"]).encode())
        return Envelope(name, inputs=inputs, fragment=fragment, **texts)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no envelope of a launcher: {error!r}") from error


def belongs_to(envelope: Envelope, attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt at its task that sent an envelope, None when the platform knows of none.

    By the pod's name where that decides, else by the time at which it began.
    """
    mine = [attempt for attempt in attempts if attempt.task == envelope.task]
    if len(mine) < 2:
        return mine[0] if mine else None
    named = [attempt for attempt in mine if envelope.host in attempt.hosts]
    if len(named) == 1:
        return named[0]
    began = envelope.fragment.started_at_ns
    before = [a for a in mine if a.started_at_ns is not None and a.started_at_ns <= began]
    return max(before, key=lambda a: (a.started_at_ns or 0, a.retry)) if before else mine[0]


def placed(envelope: Envelope, attempt: Attempt, task: Task | None) -> TaskFragment:
    """The fragment as roar merges it. `task` is what the specification says of it."""
    places = _places(envelope, task)
    fragment = envelope.fragment
    node = attempt.node or envelope.host
    return attrs.evolve(
        fragment,
        task=attempt.task,
        name=attempt.task,
        attempt=attempt.retry + 1,
        part=envelope.name,
        cwd=_translated(fragment.cwd, places, envelope) if fragment.cwd else None,
        where=node,
        read=_files(fragment.read, places, envelope, node),
        written=_files(fragment.written, places, envelope, node),
        objects=() if task is None else tuple(objects_of(task, envelope.workflow)),
        needs=() if task is None else needs_of(task, envelope.workflow),
        group="" if task is None else task.group,
    )


def _places(envelope: Envelope, task: Task | None) -> Mapping[str, str]:
    """Folder in the container -> folder as it is told."""
    own = f"{ROOT}/{envelope.workflow}/{envelope.task}"
    places = {envelope.output: f"{own}/output"}
    inputs: tuple[dict[str, Any], ...] = () if task is None else task.inputs
    for at, folder in enumerate(envelope.inputs):
        source = inputs[at].get("task") if at < len(inputs) else None
        places[folder] = f"{own}/input/{at}"
        if isinstance(source, str):
            workflow, _, name = source.rpartition(":")
            places[folder] = f"{ROOT}/{workflow or envelope.workflow}/{name}/output"
    return {folder.rstrip("/"): told for folder, told in places.items() if folder.strip("/")}


def _files(
    files: Sequence[TaskFile], places: Mapping[str, str], envelope: Envelope, node: str
) -> tuple[TaskFile, ...]:
    return tuple(
        attrs.evolve(
            file, path=_translated(file.path, places, envelope), fingerprint=None, node=node
        )
        for file in files
        if not file.path.startswith(_PLATFORM) and f"/{FRAGMENTS}/" not in file.path
    )


def _translated(path: str, places: Mapping[str, str], envelope: Envelope) -> str:
    for folder, told in places.items():
        if path == folder or path.startswith(folder + "/"):
            return told + path[len(folder) :]
    return f"{ROOT}/{envelope.workflow}/{envelope.task}{path}"
