"""The recipe of a file: its record, how it stands now, and who made its bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from roar_core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roar_core.model.fingerprint import Fingerprint
    from roar_core.model.job import Edge, Job
    from roar_core.store.found import ArtifactInfo, PathHistory
    from roar_core.store.writer import Store

# A quarter of a second's reading; beyond it, looking at a file should not take long unasked.
_READ_AT_MOST = 256 * 1024 * 1024

Now = Literal["unchanged", "changed", "missing", "unchecked"]


class OnDisk(NamedTuple):
    """What is at a path now. `size` is None when that is no file, `hash` when it was not read."""

    exists: bool
    size: int | None = None
    hash: str | None = None


class Use(NamedTuple):
    """A job that read or wrote some bytes at a path; `hash` is None when they are unknown."""

    uid: str
    path: str
    hash: str | None


class Recipe(NamedTuple):
    """`now` compares the file with `recorded`, the newest record of its path.

    `hash` names the bytes that `producer` and `consumers` are about: those the file holds now when
    they are recorded, else the recorded ones; None when they are unknown. Lists are newest first.
    """

    path: str
    now: Now
    recorded: Edge | None
    hash: str | None
    size: int
    producer: Job | None
    producers: tuple[Use, ...]
    consumers: tuple[Use, ...]


def recipe_of_history(store: Store, history: PathHistory, *, verify: bool) -> Recipe:
    """The recipe of a path that jobs read or wrote; `verify` reads a file of any size."""
    recorded = history.events[0].edge
    disk = look(store, history.path, limit=None if verify else _READ_AT_MOST)
    held = find_artifact(store, disk.hash)
    about = held or find_artifact(store, recorded.hash)
    written = tuple(
        Use(event.summary.job.uid, history.path, event.edge.hash)
        for event in history.events
        if event.direction == "output"
    )
    elsewhere = uses_of(about, written=True)
    maker = _maker(history, about, elsewhere)
    now = compare(disk, recorded)
    if recorded.kind == "composite" and verify and disk.exists and recorded.hash:
        now = "unchanged" if holds_as_recorded(store, history.path, recorded.hash) else "changed"
    return Recipe(
        path=history.path,
        now=now,
        recorded=recorded,
        hash=about.hash if about else None,
        size=about.size if about else recorded.size,
        producer=store.job(maker) if maker else None,
        producers=tuple(dict.fromkeys((*written, *elsewhere))),
        consumers=uses_of(about, written=False),
    )


def recipe_of_bytes(store: Store, path: str, shown: str) -> Recipe:
    """The recipe of a file at a path nobody recorded, by its bytes.

    Raises `NotFoundError` when those are not recorded either, or there is no file; `shown` is
    how the user called it.
    """
    if not os.path.lexists(path):
        raise NotFoundError(f"{shown} is no step (@N), job, hash or file known here; see: roar log")
    if os.path.isdir(path):  # noqa: PTH112
        raise NotFoundError(f"{shown} is a directory; roar show takes one of its files")
    disk = look(store, path, limit=None)
    about = find_artifact(store, disk.hash)
    if about is None:
        why = "nor the same bytes elsewhere" if disk.hash else "and it cannot be read"
        raise NotFoundError(f"{shown} is not recorded: no job read or wrote it, {why}")
    makers = uses_of(about, written=True)
    return Recipe(
        path=path,
        now="unchecked",
        recorded=None,
        hash=about.hash,
        size=about.size,
        producer=store.job(makers[0].uid) if makers else None,
        producers=makers,
        consumers=uses_of(about, written=False),
    )


def _maker(
    history: PathHistory, about: ArtifactInfo | None, elsewhere: tuple[Use, ...]
) -> str | None:
    """Who made the bytes that a path holds: its newest writer; else who had when they were first
    read there, for whoever wrote the same bytes later only copied them; else who wrote them."""
    if about is None:
        return None
    same = [event for event in history.events if event.edge.hash == about.hash]
    for event in same:
        if event.direction == "output":
            return event.summary.job.uid
    if same and about.composite is None:  # of a dataset each member may have another writer
        return same[-1].edge.producer
    return elsewhere[0].uid if elsewhere else None


def look(store: Store, path: str, *, limit: int | None) -> OnDisk:
    """What is at `path` now: from the stat cache, or read when no larger than `limit` bytes."""
    from roar_core.hashing.digests import digest_file
    from roar_core.hashing.failures import HashError
    from roar_core.model.fingerprint import Fingerprint

    if "://" in path:
        return OnDisk(exists=True)
    try:
        fingerprint = Fingerprint.from_stat(os.stat(path))  # noqa: PTH116 - a name may hold any bytes
    except OSError:
        return OnDisk(exists=False)
    if not fingerprint.is_regular:
        return OnDisk(exists=True)
    known = store.digests_for([fingerprint], "blake3").get(fingerprint[:5])
    if known is None and (limit is None or fingerprint.size <= limit):
        try:
            known = digest_file(path).digests["blake3"]
        except HashError as error:
            if error.code == "missing":
                return OnDisk(exists=False)
    return OnDisk(True, fingerprint.size, known and f"blake3:{known}")


def compare(disk: OnDisk, recorded: Edge) -> Now:
    """How the file stands against the record."""
    if not disk.exists:
        return "missing"
    if recorded.hash is None or recorded.kind in ("object", "composite"):
        return "unchecked"
    if disk.hash is None:
        return "unchecked" if disk.size == recorded.size else "changed"
    return "unchanged" if disk.hash == recorded.hash else "changed"


def find_artifact(store: Store, name: str | None) -> ArtifactInfo | None:
    """The artifact of this hash, None when no job read or wrote these bytes."""
    if name is None:
        return None
    try:
        return store.artifact(name)
    except NotFoundError:
        return None


def uses_of(artifact: ArtifactInfo | None, *, written: bool) -> tuple[Use, ...]:
    """Who wrote, or who read, an artifact."""
    if artifact is None:
        return ()
    uses = artifact.producers if written else artifact.consumers
    return tuple(Use(use.uid, use.path, artifact.hash) for use in uses)


def holds_as_recorded(store: Store, path: str, dataset: str) -> bool:
    """Whether each recorded member of a dataset is in the folder `path` with the same bytes."""
    from blake3 import blake3

    from roar_core.hashing.digests import Digested
    from roar_core.hashing.pool import hash_files

    components = store.components(dataset)
    files = {str(Path(path, c.path)): c.digest for c in components if c.kind == "file"}
    for component in components:
        if component.kind == "symlink":
            try:
                link = os.fsencode(os.readlink(Path(path, component.path)))  # noqa: PTH115
            except OSError:
                return False
            if blake3(link).hexdigest() != component.digest:
                return False
    results = hash_files([(name, None) for name in files], cache=_Asked(store))
    return all(
        isinstance(result, Digested) and result.digests["blake3"] == files[name]
        for name, result in results.items()
    )


class _Asked:
    """A stat cache that is asked and learns nothing: `show` opens the database for reading."""

    def __init__(self, store: Store) -> None:
        self.digests_for = store.digests_for

    def remember(self, rows: Iterable[tuple[Fingerprint, str, str, int]]) -> None:
        """Let go of them."""
