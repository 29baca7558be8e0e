"""The folder of an attempt that reports, and files in it that are there whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from roar_core.fragments import Attempt
    from roar_core.model.fragment import TaskFragment


class BegunAttempt(NamedTuple):
    """The folder of an attempt."""

    folder: Path

    @property
    def task(self) -> str:
        return unquote(self.folder.name.partition(".")[2])

    @property
    def attempt(self) -> Path:
        return self.folder / "attempt.json"

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def fragment(self) -> Path:
        return self.folder / "fragment.json"

    def told(self) -> tuple[Attempt, Path]:
        """What was to be done, and in which directory."""
        from roar_core.fragments import Attempt

        told = json.loads(self.attempt.read_bytes())
        cwd = Path(told.pop("cwd"))
        return Attempt(**told | {"command": tuple(told["command"])}), cwd

    def deliver(self, fragment: TaskFragment) -> None:
        """Put a fragment where no crash can take it."""
        from roar_core.fragments import to_json

        write_whole(self.fragment, to_json(fragment))

    def take(self, content: bytes) -> None:
        """Keep a fragment that came another way; the folder is not seen before it has it."""
        hidden = BegunAttempt(self.folder.with_name(f".{self.folder.name}"))
        target = self if self.folder.exists() else hidden
        target.folder.mkdir(parents=True, exist_ok=True)
        write_whole(target.fragment, content)
        if target is hidden:
            hidden.folder.rename(self.folder)


def name_of(task: str, number: int) -> str:
    """What the folder of an attempt is called."""
    return f"{number}.{quote(task, safe='')}"


def lock(path: Path) -> int | None:
    """A descriptor that holds a file's lock; None when another one does, or none can be had."""
    try:
        # NFS locks only what may be written.
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # another process has just sent it
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, also after a crash."""
    partial = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}")
    with partial.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    partial.rename(path)


def names_in(folder: Path) -> list[str]:
    """What is in a folder that may not be there yet, but for what is not ready to be seen."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208
    except FileNotFoundError:
        return []
