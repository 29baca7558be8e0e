"""What a round of hashing has to do and has done: the plan, the cache on both ends, the results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from roar_core.hashing.cache import FingerprintKey, StatCache, key_of
from roar_core.hashing.digests import LARGE_BYTES, Digested
from roar_core.hashing.failures import HashFailure, Unreadable
from roar_core.model.fingerprint import Fingerprint

Progress = Callable[[int, int, int], None]


class Task(NamedTuple):
    """A file to read: which version, for which algorithms; `known` are digests a cache gave."""

    path: str
    expected: Fingerprint | None
    algorithms: tuple[str, ...]
    known: dict[str, str]
    size: int

    @property
    def is_large(self) -> bool:
        """Whether reading it takes long enough to be told, and given up, piece by piece."""
        return self.size >= LARGE_BYTES


class Work:
    """The state of one `hash_files`; used by the calling thread only."""

    def __init__(
        self, algorithms: tuple[str, ...], cache: StatCache | None, on_progress: Progress | None
    ) -> None:
        self.algorithms = algorithms
        self.results: dict[str, Digested | HashFailure] = {}
        self._cache = cache
        self._on_progress = on_progress
        self._fresh: list[Digested] = []
        self._bytes_total = 0
        self._bytes_done = 0
        self._files_done = 0

    def plan(self, requests: Iterable[tuple[str, Fingerprint | None]]) -> list[Task]:
        """Answer what the cache knows, and return what has to be read."""
        wanted: dict[str, tuple[Fingerprint, Fingerprint | None]] = {}
        for path, expected in requests:
            if path in wanted or path in self.results:
                continue
            try:
                wanted[path] = (expected or _fingerprint_of(path), expected)
            except OSError as problem:
                self.results[path] = HashFailure.of(Unreadable(path, problem))
        cached = self._look_up([fingerprint for fingerprint, _ in wanted.values()])
        tasks: list[Task] = []
        for path, (fingerprint, expected) in wanted.items():
            key = key_of(fingerprint)
            known = {name: cached[name][key] for name in self.algorithms if key in cached[name]}
            missing = tuple(name for name in self.algorithms if name not in known)
            if missing:
                # Digests of one version only: a cached one binds the rest to its version.
                version = fingerprint if known else expected
                tasks.append(Task(path, version, missing, known, fingerprint.size))
            else:
                self.results[path] = Digested(fingerprint, known, 0)
        self._bytes_total = sum(task.size for task in tasks)
        return tasks

    def advance(self, count_bytes: int) -> None:
        """Note a piece of a large file, which `finish` then does not count again."""
        self._bytes_done += count_bytes
        self._report()

    def finish(self, outcomes: Iterable[tuple[Task, Digested | HashFailure]]) -> None:
        """Take in what became of some tasks."""
        for task, outcome in outcomes:
            if isinstance(outcome, Digested):
                self._fresh.append(outcome)
                if task.known:
                    outcome = outcome._replace(digests=task.known | outcome.digests)
            self.results[task.path] = outcome
            self._files_done += 1
            if not task.is_large:
                self._bytes_done += task.size
        self._report()

    def remember(self) -> None:
        """Give the cache what was read and is settled."""
        if self._cache is not None and self._fresh:
            self._cache.remember(self._rows())

    def _rows(self) -> Iterator[tuple[Fingerprint, str, str, int]]:
        for digested in self._fresh:
            if digested.is_settled:
                for algorithm, digest in digested.digests.items():
                    yield digested.fingerprint, algorithm, digest, digested.read_at_ns

    def _look_up(self, fingerprints: Sequence[Fingerprint]) -> dict[str, dict[FingerprintKey, str]]:
        if self._cache is None or not fingerprints:
            return {name: {} for name in self.algorithms}
        return {name: self._cache.digests_for(fingerprints, name) for name in self.algorithms}

    def _report(self) -> None:
        if self._on_progress is not None:
            # A large file that changed was perhaps read twice.
            done = min(self._bytes_done, self._bytes_total)
            self._on_progress(done, self._bytes_total, self._files_done)


def _fingerprint_of(path: str) -> Fingerprint:
    return Fingerprint.from_stat(os.stat(path))  # noqa: PTH116 - Path doubles the cost of a stat
