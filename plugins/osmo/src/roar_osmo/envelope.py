"""What a launcher has sent: a fragment, and what is needed to place it.

Paths are a container's, and no file of it may be taken for one of this machine. The workflow stands
for the node, and paths begin with the task:

    /<task>/output/…      below {{output}}
    /<task>/input/<n>/…   below {{input:n}}; what came from a task of the workflow has the name that
                          it had in the output of that one
    /<task>/container/…   everywhere else
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import attrs

from roar_core.fragments import from_json
from roar_core.model.fragment import TaskFile, TaskFragment
from roar_osmo.declared import objects_of
from roar_osmo.rewrite import FRAGMENTS, PLACE
from roar_osmo.state import Attempt
from roar_osmo.workflow import Task

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
        for text in (*texts.values(), *inputs):
            if not isinstance(text, str):
                raise ValueError("an envelope's places must be strings")
            os.fsencode(text)  # UnicodeEncodeError, a ValueError, for what names no place
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


def placed(
    envelope: Envelope, attempt: Attempt, task: Task | None, needs: tuple[str, ...] = ()
) -> TaskFragment:
    """The fragment as roar merges it. `task` is what the specification says of it.

    `needs` are the tasks whose output it got, and of which no file is known.
    """
    places = _places(envelope, task)
    fragment = envelope.fragment
    return attrs.evolve(
        fragment,
        task=attempt.task,
        name=attempt.task,
        attempt=attempt.retry + 1,
        part=envelope.name,
        cwd=_translated(fragment.cwd, places, envelope) if fragment.cwd else None,
        where=attempt.node or envelope.host,
        read=_files(fragment.read, places, envelope),
        written=_files(fragment.written, places, envelope),
        objects=() if task is None else tuple(objects_of(task, envelope.workflow)),
        needs=needs,
        group="" if task is None else task.group,
    )


def _places(envelope: Envelope, task: Task | None) -> Mapping[str, str]:
    """Folder in the container -> folder as it is told."""
    own = f"/{envelope.task}"
    places = {envelope.output: f"{own}/output"}
    for at, folder in enumerate(envelope.inputs):
        source = task.inputs[at].get("task") if task and at < len(task.inputs) else None
        name = str(source).removeprefix(f"{envelope.workflow}:")
        is_known = source is not None and ":" not in name
        places[folder] = f"/{name}/output" if is_known else f"{own}/input/{at}"
    return {folder.rstrip("/"): told for folder, told in places.items() if folder.strip("/")}


def _files(
    files: Sequence[TaskFile], places: Mapping[str, str], envelope: Envelope
) -> tuple[TaskFile, ...]:
    return tuple(
        attrs.evolve(
            file,
            path=_translated(file.path, places, envelope),
            fingerprint=None,
            node=envelope.workflow,
        )
        for file in files
        if not file.path.startswith(_PLATFORM) and f"/{FRAGMENTS}/" not in file.path
    )


def _translated(path: str, places: Mapping[str, str], envelope: Envelope) -> str:
    for folder, told in places.items():
        if path == folder or path.startswith(folder + "/"):
            return told + path[len(folder) :]
    return f"/{envelope.task}/container{path}"
