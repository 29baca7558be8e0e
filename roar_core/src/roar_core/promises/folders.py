"""Folders that are nowhere, to ask composite formats about."""

from __future__ import annotations

from collections.abc import Iterable


class ImaginedFolder:
    """A `Folder` that holds `files`, paths below it, of which the run has touched all.

    `looks` counts what it was asked that a real folder would have to look up on the disk.
    """

    def __init__(self, name: str, files: Iterable[str]) -> None:
        self._files = frozenset(files)
        self.name = name
        self.touched = frozenset(file for file in self._files if "/" not in file)
        self.leads_to = frozenset(file.partition("/")[0] for file in self._files if "/" in file)
        self.looks = 0

    def has(self, relative: str) -> bool:
        self.looks += relative not in self.touched
        below = relative.rstrip("/") + "/"
        return relative in self._files or any(file.startswith(below) for file in self._files)

    def names(self, relative: str = "") -> frozenset[str]:
        self.looks += 1
        below = relative.rstrip("/") + "/" if relative else ""
        inside = (file[len(below) :] for file in self._files if file.startswith(below))
        return frozenset(file.partition("/")[0] for file in inside)
