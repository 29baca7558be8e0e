"""What a job wrote and is still there exactly so: all that undoing it may take away.

A file goes only if its bytes are the recorded ones, read afresh; if git does not track it; and if
no job that stands wrote the same bytes to the same place. Of a dataset each member is judged alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from roar_core.environment.checkout import Checkout, find_checkout
from roar_core.environment.tracked import tracked_files
from roar_core.errors import RoarError
from roar_core.hashing.digests import digest_file
from roar_core.hashing.failures import HashError
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Job
from roar_core.store.authorship import Authors, written_members
from roar_core.store.database import Database


class Removable(NamedTuple):
    """A file as the job wrote it. `dataset` is the folder it is a member of, if any."""

    path: str
    fingerprint: Fingerprint
    dataset: str | None = None


class Kept(NamedTuple):
    """A file that stays, and why."""

    path: str
    reason: str


class Remains(NamedTuple):
    """What a job wrote, by what may become of it; files that are gone already are in neither."""

    removable: tuple[Removable, ...]
    kept: tuple[Kept, ...]


class _Wanted(NamedTuple):
    path: str
    digest: str
    dataset: str | None = None
    is_link: bool = False


def remains_of(store: Database, job: Job) -> Remains:
    """Look at every output of `job` as it is now; reads all their bytes."""
    if job.kind == "put":
        reason = "was put there for others"
        return Remains((), tuple(Kept(output.path, reason) for output in job.outputs))
    removable: list[Removable] = []
    kept: list[Kept] = []
    with store.reading() as db:
        authors = Authors(db, job.uid, job.project)
        tracked = _Tracked()
        for output in _outputs(db, job):
            found = output if isinstance(output, Kept) else _judged(output, authors, tracked)
            if isinstance(found, Removable):
                removable.append(found)
            elif found is not None:
                kept.append(found)
    return Remains(tuple(removable), tuple(kept))


def remove(files: Iterable[Removable]) -> tuple[list[str], list[Kept]]:
    """Delete `files` that are still as they were looked at; the paths that are gone, and the rest.

    Folders of datasets that became empty go too.
    """
    gone: list[str] = []
    kept: list[Kept] = []
    folders: dict[str, str] = {}
    for file in files:
        try:
            # Its ctime may be new: removing one name of a file is a change of the others'.
            if Fingerprint.from_stat(os.lstat(file.path))[:4] != file.fingerprint[:4]:
                kept.append(Kept(file.path, "changed just now"))
                continue
            Path(file.path).unlink()
        except OSError as error:
            kept.append(Kept(file.path, f"cannot be removed: {error.strerror}"))
            continue
        gone.append(file.path)
        if file.dataset is not None:
            folders[os.path.dirname(file.path)] = file.dataset  # noqa: PTH120 - any bytes
    for folder, dataset in folders.items():
        _remove_empty(folder, dataset)
    return gone, kept


def _remove_empty(folder: str, dataset: str) -> None:
    """Remove `folder` and those around it, up to the dataset's own, as far as they are empty."""
    while folder == dataset or folder.startswith(f"{dataset}/"):
        try:
            Path(folder).rmdir()
        except OSError:  # something else lies in it
            return
        folder = os.path.dirname(folder)  # noqa: PTH120


class _Tracked:
    """Whether git tracks a file; each checkout is asked once."""

    def __init__(self) -> None:
        self._checkouts: dict[str, Checkout | None] = {}
        self._known: dict[str, frozenset[str] | str] = {}

    def reason_to_keep(self, path: str) -> str | None:
        folder = os.path.dirname(path)  # noqa: PTH120
        if folder not in self._checkouts:
            self._checkouts[folder] = find_checkout(folder)
        checkout = self._checkouts[folder]
        if checkout is None:
            return None
        if checkout.root not in self._known:
            try:
                self._known[checkout.root] = tracked_files(checkout)
            except RoarError as error:
                self._known[checkout.root] = str(error)
        known = self._known[checkout.root]
        if isinstance(known, str):
            return known
        return "git tracks it" if path in known else None


def _outputs(db: sqlite3.Connection, job: Job) -> Iterator[_Wanted | Kept]:
    for edge in job.outputs:
        digest = edge.digests.get("blake3")
        if edge.kind == "object":
            yield Kept(edge.path, "it is no file of this machine")
        elif edge.kind == "file":
            yield (
                Kept(edge.path, "its bytes were not recorded")
                if digest is None
                else _Wanted(edge.path, digest)
            )
        else:
            yield from _members(db, job, edge.path)


def _members(db: sqlite3.Connection, job: Job, root: str) -> Iterator[_Wanted | Kept]:
    members = written_members(db, job.uid, root, job.project)
    if members is None:
        yield Kept(root, "which files it wrote there is not recorded")
        return
    for name, digest, kind in members:
        path = f"{root}/{os.fsdecode(name.encode('utf-8', 'surrogateescape'))}"
        if kind == "composite":
            yield Kept(path, "it is a dataset inside another")
        else:
            yield _Wanted(path, digest, root, kind == "symlink")


def _judged(output: _Wanted, authors: Authors, tracked: _Tracked) -> Removable | Kept | None:
    """What may become of a file; None when it is gone."""
    path = output.path
    try:
        fingerprint = Fingerprint.from_stat(os.lstat(path))
        is_same = _digest_now(output, fingerprint) == output.digest
    except FileNotFoundError:
        return None
    except HashError as error:
        return Kept(path, error.why)
    except OSError as error:
        return Kept(path, error.strerror or str(error))
    if not is_same:
        return Kept(path, "changed since")
    if reason := tracked.reason_to_keep(path):
        return Kept(path, reason)
    other = authors.other(path, output.digest)
    if other is not None:
        return Kept(path, f"job {other[:8]} wrote the same bytes there")
    return Removable(path, fingerprint, output.dataset)


def _digest_now(output: _Wanted, fingerprint: Fingerprint) -> str | None:
    """BLAKE3 of what is at the path itself, behind no link; None when that is of another kind."""
    if os.path.realpath(os.path.dirname(output.path)) != os.path.dirname(output.path):  # noqa: PTH120
        return None
    if output.is_link:
        return blake3(os.fsencode(os.readlink(output.path))).hexdigest()  # noqa: PTH115
    if not fingerprint.is_regular:
        return None
    return digest_file(output.path, expected=fingerprint).digests["blake3"]
