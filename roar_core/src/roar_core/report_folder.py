"""The folder of an attempt that reports, and files in it that are there whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from roar_core.fragments import Attempt
    from roar_core.model.fragment import TaskFragment


_WHOLE_MAX = 150
_BEGINNING = 80
# quote() leaves no such sign.
_CUT = "="


class BegunAttempt(NamedTuple):
    """The folder of an attempt."""

    folder: Path

    @property
    def task(self) -> str:
        spelt = self.folder.name.partition(".")[2]
        if not is_shortened(spelt):
            return _unspelt(spelt)
        # What came another way has only its fragment.
        source = self.attempt if self.attempt.exists() else self.fragment
        return str(json.loads(source.read_bytes())["task"])

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
    return f"{number}.{spelt(task)}"


def spelt(task: str) -> str:
    """A task as a file's name: as in URLs, and of a long one the beginning and a digest.

    A name has room for 255 bytes, of which files that are being written take some for themselves.
    """
    whole = quote(task, safe="", errors="surrogatepass")
    if len(whole) <= _WHOLE_MAX:
        return whole
    digest = sha256(task.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{whole[:_BEGINNING]}{_CUT}{digest}"


def is_shortened(name: str) -> bool:
    """Whether what `spelt` gave does not tell the whole task."""
    return _CUT in name


def expect(folder: Path, task: str) -> None:
    """Leave a file in `folder` that names a task."""
    name = spelt(task)
    if is_shortened(name):
        write_whole(folder / name, task.encode("utf-8", "surrogatepass"))
    else:
        (folder / name).touch()


def expected_in(folder: Path) -> set[str]:
    """The tasks that files in `folder` name."""
    return {
        (folder / name).read_text("utf-8", "surrogatepass")
        if is_shortened(name)
        else _unspelt(name)
        for name in names_in(folder)
    }


def _unspelt(name: str) -> str:
    return unquote(name, errors="surrogatepass")


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
