"""Find recorded bytes among the files of this machine, by their digest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Protocol

from roar_core.hashing.cache import FingerprintKey, key_of
from roar_core.hashing.digests import digest_file
from roar_core.hashing.failures import HashError
from roar_core.model.fingerprint import Fingerprint

_SKIPPED = {".git", ".roar", ".reproduce"}


class Cache(Protocol):
    """The stat cache, to ask only."""

    def digests_for(
        self, fingerprints: Iterable[Fingerprint], algorithm: str
    ) -> dict[FingerprintKey, str]: ...


class Finder:
    """Looks where bytes were recorded first, then at every file of the project of their size.

    A file is read only when its size is right and the stat cache does not know its digest.
    `skipped` is a directory that is not searched: the target.
    """

    def __init__(self, cache: Cache, root: str, skipped: str) -> None:
        self._cache = cache
        self._root = root
        self._skipped = skipped
        self._by_size: dict[int, list[str]] | None = None
        self._known: dict[str, str | None] = {}

    def find(self, name: str, size: int, places: Iterable[str]) -> str | None:
        """A file that holds the bytes called `name` (`blake3:<hex>`), or None.

        `places` are absolute paths to look at first.
        """
        for path in places:
            if self.digest(path, size) == name:
                return path
        for path in self._of_size(size):
            if self.digest(path, size) == name:
                return path
        return None

    def digest(self, path: str, size: int | None = None) -> str | None:
        """`blake3:<hex>` of the file at `path`; None when there is none, or none of that size."""
        try:
            fingerprint = Fingerprint.from_stat(os.stat(path))  # noqa: PTH116 - names of any bytes
        except (OSError, ValueError):
            return None
        if not fingerprint.is_regular or (size is not None and fingerprint.size != size):
            return None
        if path not in self._known:
            cached = self._cache.digests_for([fingerprint], "blake3").get(key_of(fingerprint))
            self._known[path] = f"blake3:{cached}" if cached else digest_of(path)
        return self._known[path]

    def _of_size(self, size: int) -> list[str]:
        if self._by_size is None:
            self._by_size = {}
            for path, found in _files(self._root, self._skipped):
                self._by_size.setdefault(found, []).append(path)
        return self._by_size.get(size, [])


def digest_of(path: str) -> str | None:
    """`blake3:<hex>` of a regular file, read now; None when there is none or it cannot be read."""
    try:
        return f"blake3:{digest_file(path).digests['blake3']}"
    except (HashError, ValueError):
        return None


def _files(root: str, skipped: str) -> Iterator[tuple[str, int]]:
    """Every regular file below `root` and its size; links are not followed."""
    waiting = [root]
    while waiting:
        try:
            entries = sorted(os.scandir(waiting.pop()), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name in _SKIPPED or entry.path == skipped:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                try:
                    yield entry.path, entry.stat(follow_symlinks=False).st_size
                except OSError:
                    continue
