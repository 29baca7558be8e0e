"""What files hold now: a stat for what has not changed, a digest for what may have.

Files are asked about all at once. How much may be read to find out is limited by the caller: a file
beyond the limit has no digest here, which is not the same as another digest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from roar_core.hashing.cache import FingerprintKey, StatCache, key_of
from roar_core.model.fingerprint import Fingerprint

Learnt = tuple[Fingerprint, str, str, int]


class Held(NamedTuple):
    """What is at a path. `size` is None when that is no regular file, `digest` when not read."""

    exists: bool
    size: int | None = None
    digest: str | None = None
    is_hidden: bool = False  # a folder on the way may not be entered

    def is_known_against(self, size: int | None) -> bool:
        """Whether it can be told if it holds given bytes, of which `size` may be known."""
        return not self.is_hidden and (
            not self.exists
            or self.size is None
            or self.digest is not None
            or (size is not None and size != self.size)
        )

    def holds(self, digest: str) -> bool:
        """Whether these are its bytes; only where `is_known_against`."""
        return self.digest == digest


class Recording(StatCache):
    """A stat cache that is asked, and keeps what it learns in `rows` for whoever may write."""

    def __init__(self, cache: StatCache) -> None:
        self._cache = cache
        self.rows: list[Learnt] = []

    def digests_for(
        self, fingerprints: Iterable[Fingerprint], algorithm: str
    ) -> dict[FingerprintKey, str]:
        """Ask the cache behind."""
        return self._cache.digests_for(fingerprints, algorithm)

    def remember(self, rows: Iterable[Learnt]) -> None:
        """Keep the rows aside."""
        self.rows.extend(rows)


def look_at(
    wanted: Mapping[str, frozenset[int]], cache: StatCache, *, read_at_most: int | None
) -> dict[str, Held]:
    """What each path holds. `wanted` gives the sizes that its recorded bytes have, if known.

    A file of another size is not read: its bytes are others. `read_at_most` is in bytes, for all
    together; None reads whatever it takes.
    """
    held: dict[str, Held] = {}
    files: dict[str, Fingerprint] = {}
    for path in wanted:
        try:
            found = Fingerprint.from_stat(os.stat(path))  # noqa: PTH116 - a name may hold any bytes
        except (FileNotFoundError, NotADirectoryError):
            held[path] = Held(exists=False)
            continue
        except (OSError, ValueError):
            held[path] = Held(exists=True, is_hidden=True)
            continue
        if found.is_regular:
            files[path] = found
        else:
            held[path] = Held(exists=True)
    known = cache.digests_for(files.values(), "blake3")
    doubtful: list[str] = []
    for path, found in files.items():
        digest = known.get(key_of(found))
        held[path] = Held(True, found.size, digest)
        if digest is None and (not wanted[path] or found.size in wanted[path]):
            doubtful.append(path)
    if doubtful:
        _read(doubtful, files, held, cache, read_at_most)
    return held


def _read(
    doubtful: list[str],
    files: Mapping[str, Fingerprint],
    held: dict[str, Held],
    cache: StatCache,
    read_at_most: int | None,
) -> None:
    from roar_core.hashing.digests import Digested
    from roar_core.hashing.pool import hash_files

    left = read_at_most
    chosen: list[str] = []
    # The smallest first: as many as possible are told.
    for path in sorted(doubtful, key=lambda path: files[path].size):
        if left is not None:
            if files[path].size > left:
                break
            left -= files[path].size
        chosen.append(path)
    for path, result in hash_files([(path, None) for path in chosen], cache=cache).items():
        if isinstance(result, Digested):
            held[path] = Held(True, result.fingerprint.size, result.digests["blake3"])
        elif result.code == "missing":
            held[path] = Held(exists=False)
