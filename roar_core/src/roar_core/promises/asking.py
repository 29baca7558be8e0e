"""Ask a plugin for its objects, and tell what else it did or what stopped it."""

from __future__ import annotations

import io
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from roar_core.contracts import CONTRACTS, Offer
from roar_core.discovery import PluginRef
from roar_core.errors import PluginError
from roar_core.plugins import Plugin, Section, objects_of
from roar_core.promises.audit import started_processes
from roar_core.promises.promise import Complaint


class Answer(NamedTuple):
    """What asking a plugin for its objects brought, and what it did meanwhile."""

    objects: tuple[Offer, ...]
    complaints: tuple[Complaint, ...]


def ask(plugin: Plugin, project: Path, section: Section) -> Answer:
    """Have a plugin's hook offer its objects, and watch it."""
    said = io.StringIO()
    complaints: list[Complaint] = []
    objects: list[Offer] = []
    with started_processes() as started, redirect_stdout(said), redirect_stderr(said):
        try:
            objects = objects_of(plugin, project, section)
        except PluginError as error:
            complaints.append(raised(error, plugin.ref))
    hook = CONTRACTS[plugin.ref.group].hook
    if started:
        complaints.append(
            Complaint(f"{hook}() calls {started[0]}", "a hook offers objects: start nothing")
        )
    if said.getvalue():
        complaints.append(
            Complaint(
                f"{hook}() prints {said.getvalue().splitlines()[0][:80]!r}",
                "stdout and stderr belong to the user's command: return what is to be told",
            )
        )
    return Answer(tuple(objects), tuple(complaints))


def raised(error: PluginError, ref: PluginRef) -> Complaint:
    """What a plugin raised, and where: its author has no traceback to look at."""
    frames = traceback.extract_tb(error.__cause__.__traceback__ if error.__cause__ else None)
    package = ref.value.partition(":")[0].partition(".")[0].strip()
    own = [frame for frame in frames if package in Path(frame.filename).with_suffix("").parts]
    where = f"look at {own[-1].filename}, line {own[-1].lineno}" if own else "see docs/hooks.md"
    return Complaint(f"{error.cause}", where)
