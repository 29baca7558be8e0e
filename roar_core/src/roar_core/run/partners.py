"""A plugin's object in one run: where it keeps things, how it is called, and what it failed to do.

Backends and storage proxies help a command to be seen, and may not harm it: whatever goes wrong in
one is told once, costs coverage, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from roar_core.contracts import Offer
from roar_core.errors import PluginError
from roar_core.hookspecs import RunContext
from roar_core.model.coverage import CoverageReason
from roar_core.project import Project
from roar_core.run.patience import Signals, call_within, each_within

T = TypeVar("T")


class Shortfall:
    """What plugins failed to do in one run. `warn` is told of each distribution once."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.reasons: list[CoverageReason] = []
        self._warn = warn
        self._told: set[str] = set()

    def note(self, code: str, error: PluginError) -> None:
        """A failure: a warning if it is the plugin's first, and a hole in the coverage."""
        if error.distribution not in self._told:
            self._told.add(error.distribution)
            self._warn(str(error))
        reason = CoverageReason(code, 1, str(error))
        if reason not in self.reasons:
            self.reasons.append(reason)


class Partner(NamedTuple):
    """One object of a plugin in one run; `kind` is `backend` or `proxy`, as in folders and codes.

    It is waited for at most `patience_s`, and its thread does not receive `blocked`.
    """

    kind: str
    offer: Offer
    run: RunContext
    patience_s: float
    blocked: Signals = frozenset()

    @property
    def name(self) -> str:
        return str(self.offer.value.name)

    def call(self, doing: str, function: Callable[..., T], *arguments: Any) -> T:
        """Call into the object; raises PluginError when it fails or does not answer."""
        return call_within(
            self.patience_s,
            self.blocked,
            self.offer.ref,
            f"{self.kind} {self.name} was {doing}",
            function,
            *arguments,
        )

    def each(self, doing: str, function: Callable[[], Iterable[T]]) -> Iterator[T]:
        """What an iterable of the object gives, item by item."""
        doing = f"{self.kind} {self.name} was {doing}"
        return each_within(self.patience_s, self.blocked, self.offer.ref, doing, function)

    def forget(self) -> None:
        """Delete its folder: nothing of this run is left to collect."""
        remove_folder(self.run.folder)


def folder_of(project: Project, uid: str, kind: str, name: str) -> Path:
    """Where an object keeps what it needs to know of a run."""
    return project.runs / uid / f"{kind}-{name.replace('/', '%2F')}"


def pending(project: Project, uid: str, kind: str) -> set[str]:
    """The names of the objects that have not let go of a run yet."""
    try:
        found = [path.name for path in (project.runs / uid).iterdir()]
    except OSError:  # nothing takes part in this run
        return set()
    mark = f"{kind}-"
    return {name.removeprefix(mark).replace("%2F", "/") for name in found if name.startswith(mark)}


def runs_with_partners(project: Project) -> list[str]:
    """The uids of all runs of which something may be left to collect."""
    try:
        return sorted(path.name for path in project.runs.iterdir())
    except OSError:  # there never was one
        return []


def remove_folder(folder: Path) -> None:
    """Delete an object's folder, and the run's when it was the last."""
    try:
        folder.rmdir()  # most have left nothing in it
    except OSError:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.rmdir()
    except OSError:  # another one's folder is there still
        return
