"""Whether a file holds the bytes of an object, found out with as little reading as may be.

In this order: their sizes; digests that the store or the user tells; what an earlier `get` or `put`
recorded of this very version; and at last the object's bytes, up to the first that differs.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

from roar_core.errors import RoarError, TemporaryError
from roar_core.hashing.cache import StatCache
from roar_core.hashing.digests import Digested
from roar_core.hashing.pool import Progress, hash_files
from roar_core.hookspecs import RemoteObject, Transfer
from roar_core.transfer.crew import Crew, Task
from roar_core.transfer.fetching import closable, expected_digests
from roar_core.transfer.patience import Patience


class Known(StatCache, Protocol):
    """What was learnt before; the session database implements it."""

    def blake3_of_object(self, url: str, version: str | None, etag: str | None) -> str | None:
        """BLAKE3 hex of the bytes that an object had in this version, when a job has told."""


class Pair(NamedTuple):
    """A file and an object that may hold the same bytes; `wanted` are digests both must have."""

    path: str
    source: RemoteObject
    transfer: Transfer
    wanted: Mapping[str, str] = {}


def same_ones(
    pairs: Sequence[Pair],
    known: Known,
    crew: Crew,
    *,
    algorithms: tuple[str, ...],
    on_progress: Progress | None = None,
) -> dict[str, Digested]:
    """The digests of those files that hold the object's bytes, by path.

    Raises RoarError when an object cannot be read.
    """
    expected = {pair.path: expected_digests(pair.source, pair.wanted) for pair in pairs}
    names = dict.fromkeys(("blake3", *algorithms, *(n for each in expected.values() for n in each)))
    hashed = hash_files(
        [(pair.path, None) for pair in pairs],
        cache=known,
        algorithms=tuple(names),
        on_progress=on_progress,
    )
    same: dict[str, Digested] = {}
    unsure: list[tuple[Pair, Digested]] = []
    for pair in pairs:
        found = hashed[pair.path]
        source = pair.source
        if not isinstance(found, Digested):
            continue
        if source.size is not None and source.size != found.fingerprint.size:
            continue
        told = expected[pair.path]
        if not told and (blake3 := known.blake3_of_object(source.url, source.version, source.etag)):
            told = {"blake3": blake3}
        if not told:
            unsure.append((pair, found))
        elif all(found.digests[name] == value for name, value in told.items()):
            same[pair.path] = found
    lock = threading.Lock()

    def reading(pair: Pair, found: Digested) -> Task:
        def carry_out() -> None:
            if _equal(pair, crew):
                with lock:
                    same[pair.path] = found

        return carry_out

    crew.carry_out(reading(pair, found) for pair, found in unsure)
    if crew.failures:
        raise crew.failures[0]
    return same


def _equal(pair: Pair, crew: Crew) -> bool:
    """Whether the object, read until it differs, is what the file holds."""
    patience, done = Patience(crew.stop), 0
    source = pair.source
    try:
        with open(pair.path, "rb") as file:
            while True:
                file.seek(done)
                left = None if source.size is None else source.size - done
                try:
                    with closing(closable(pair.transfer.read(source, done, left))) as pieces:
                        for piece in pieces:
                            crew.check()
                            if file.read(len(piece)) != piece:
                                return False
                            done += len(piece)
                    return not file.read(1)
                except TemporaryError as error:
                    patience.wait_after(error)
                    if not source.ranges:
                        done = 0
    except OSError as error:
        raise RoarError(f"cannot read {pair.path}: {error.strerror}") from error
