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


def eyes_of(node: str, told: Iterable[Mapping[str, Any]]) -> Eyes | None:
    """Eyes for a node that told this of its files; None when it told nothing."""
    files: dict[str, tuple[Fingerprint, dict[str, str]]] = {}
    for each in told:
        digests = {name: str(each[name]) for name in _ALGORITHMS if name in each}
        files[str(each["path"])] = Fingerprint(*each["fingerprint"]), digests
    if not files:
        return None

    def look(path: str) -> Fingerprint | None:
        found = files.get(path)
        return found[0] if found else None

    def list_files(directory: str) -> Iterable[str]:
        return [path for path in files if path.startswith(f"{directory}/")]

    def digests_of(path: str, version: Fingerprint) -> Mapping[str, str]:
        found = files.get(path)
        return found[1] if found and found[0].same_content(version) else {}

    return Eyes(look, list_files, digests_of, node)


def with_shared(fragment: TaskFragment) -> TaskFragment:
    """A fragment whose files on storage that this machine has too belong to no node."""
    return attrs.evolve(
        fragment,
        read=tuple(map(_shared, fragment.read)),
        written=tuple(map(_shared, fragment.written)),
    )


def _shared(file: TaskFile) -> TaskFile:
    return file
