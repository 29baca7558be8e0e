"""How the files of another node are seen from here: by what it said of them when it was swept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import TaskFile, TaskFragment
from roar_core.task_journal import Eyes

_ALGORITHMS = ("blake3", "sha256")


class Node:
    """A node's files. `told` are the documents that it gave, see `agent.digests`."""

    def __init__(self, node: str, told: Iterable[Mapping[str, Any]]) -> None:
        self._node = node
        self._files: dict[str, tuple[Fingerprint, dict[str, str]]] = {}
        for each in told:
            digests = {name: str(each[name]) for name in _ALGORITHMS if name in each}
            self._files[str(each["path"])] = Fingerprint(*each["fingerprint"]), digests

    @property
    def eyes(self) -> Eyes | None:
        """For the reader of the node's journals; None when it has told nothing."""
        if not self._files:
            return None
        return Eyes(self._look, self._list_files, self._digests, self._node)

    def placed(self, fragment: TaskFragment) -> TaskFragment:
        """The same, with the files on storage that this machine shares belonging to no node."""
        return attrs.evolve(
            fragment,
            read=tuple(map(self._placed, fragment.read)),
            written=tuple(map(self._placed, fragment.written)),
        )

    def _look(self, path: str) -> Fingerprint | None:
        found = self._files.get(path)
        return found[0] if found else None

    def _list_files(self, directory: str) -> Iterable[str]:
        return [path for path in self._files if path.startswith(f"{directory}/")]

    def _digests(self, path: str, version: Fingerprint) -> Mapping[str, str]:
        found = self._files.get(path)
        return found[1] if found and found[0].same_content(version) else {}

    def _placed(self, file: TaskFile) -> TaskFile:
        there = self._look(file.path)
        here = _look_here(file.path)
        # A device's number is each machine's own.
        if there is None or here is None or there[1:5] != here[1:5]:
            return file
        return attrs.evolve(file, node="", fingerprint=None if file.is_changed else here)


def _look_here(path: str) -> Fingerprint | None:
    try:
        return Fingerprint.from_stat(os.lstat(path))
    except (OSError, ValueError):
        return None
