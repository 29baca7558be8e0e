"""What attempts leave for roar in the folder that it gave the backend for a run.

tasks/<task>                 one file for each task that was submitted
attempts/<task>.<number>/    one folder for each attempt that was begun
    attempt.json             what was to be done; locked while its process lives
    journal                  what the tracer reports, until the fragment is written
    fragment.json            what came of it
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from roar_backend_spool.queue import Request, held, read_request, write_whole


class Begun(NamedTuple):
    """The folder of an attempt."""

    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def fragment(self) -> Path:
        return self.folder / "fragment.json"

    @property
    def attempt(self) -> Path:
        return self.folder / "attempt.json"

    @property
    def request(self) -> Request:
        """What was to be done."""
        return read_request(self.attempt)

    @property
    def is_held(self) -> bool:
        """Whether the process of the attempt lives."""
        with held(self.attempt) as is_free:
            return not is_free


class Report:
    """The report of one run."""

    def __init__(self, folder: Path) -> None:
        self._tasks = folder / "tasks"
        self._attempts = folder / "attempts"

    def expect(self, task: str) -> None:
        """Let roar know that there is such a task, whatever becomes of it."""
        self._tasks.mkdir(parents=True, exist_ok=True)
        (self._tasks / task).touch()

    @contextmanager
    def begin(self, request: Request) -> Iterator[Begun]:
        """Make the folder of an attempt, held by this process from the moment it is seen."""
        begun = Begun(self._attempts / f"{request.task}.{request.attempt}")
        hidden = Begun(begun.folder.with_name(f".{begun.folder.name}"))
        hidden.folder.mkdir(parents=True)
        write_whole(hidden.attempt, request._asdict())
        with held(hidden.attempt):
            hidden.folder.rename(begun.folder)
            yield begun

    def tasks(self) -> set[str]:
        """Every task that was submitted."""
        return {path.name for path in self._tasks.iterdir()} if self._tasks.exists() else set()

    def begun(self) -> Iterator[Begun]:
        """Every attempt that was begun."""
        for folder in sorted(self._attempts.iterdir()) if self._attempts.exists() else ():
            if not folder.name.startswith("."):
                yield Begun(folder)
