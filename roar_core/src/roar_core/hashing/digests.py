"""The digest of one file, and the proof that it belongs to one version of that file."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from roar_core.errors import UsageError
from roar_core.hashing.cache import is_settled
from roar_core.hashing.failures import FileChanged, NotRegular, Unreadable
from roar_core.hashing.holes import believes_holes, filesystem_of, is_sparse
from roar_core.hashing.reading import TooShortError, in_turn, read_ahead, whole
from roar_core.hashing.threads import may_thread
from roar_core.model.fingerprint import Fingerprint

ALGORITHMS = ("blake3", "sha256", "sha512", "md5")

# One read and one update, with no buffer to keep: most files.
WHOLE_BYTES = 1 << 20
# From here on reading ahead and hashing with every core pays for starting the threads.
LARGE_BYTES = 16 << 20
_ATTEMPTS = 3

# O_NONBLOCK: a FIFO or a device that took the file's place must not hold us.
_FLAGS = os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
_NO_ATIME = getattr(os, "O_NOATIME", 0)  # Linux only


class Digested(NamedTuple):
    """The digests, as lower-case hex by algorithm, of the version `fingerprint` describes.

    `read_at_ns` is when reading began (time.time_ns), 0 when a cache answered.
    """

    fingerprint: Fingerprint
    digests: dict[str, str]
    read_at_ns: int

    @property
    def is_settled(self) -> bool:
        """Whether the digests may be kept for as long as the fingerprint stays the same."""
        return is_settled(self.fingerprint, self.read_at_ns)


class Hasher(Protocol):
    """What hashlib and blake3 objects have in common."""

    def update(self, data: memoryview | bytes, /) -> object: ...
    def hexdigest(self) -> str: ...


def check_algorithms(algorithms: Sequence[str]) -> tuple[str, ...]:
    """Return `algorithms` without repeats; raises UsageError for one that roar does not know."""
    for name in algorithms:
        if name not in ALGORITHMS:
            raise UsageError(f"unknown hash algorithm {name!r}; roar knows {', '.join(ALGORITHMS)}")
    return tuple(dict.fromkeys(algorithms))


def new_hasher(algorithm: str, *, threads: int = 1) -> Hasher:
    """A fresh hasher; `threads` counts for blake3 alone, 0 means one per core."""
    if algorithm == "blake3":
        from blake3 import blake3

        return blake3(max_threads=threads or blake3.AUTO)
    import hashlib

    hasher: Hasher = hashlib.new(algorithm, usedforsecurity=False)
    return hasher


def digest_file(
    path: str,
    algorithms: Sequence[str] = ("blake3",),
    *,
    expected: Fingerprint | None = None,
    threads: int = 0,
    advance: Callable[[int], None] | None = None,
) -> Digested:
    """Hash the regular file at `path`.

    The digest is returned only if the file's fingerprint was the same before and after reading. A
    file that changes meanwhile is read up to three times, but never another version than
    `expected`. What no fingerprint shows stays unseen: a single write(2) into the middle that was
    under way all the while (the kernel stamps it when it begins), and stores into a shared mapping
    whose page was dirty already.

    `threads` is how many cores a large file may use (0: all); `advance` is told the bytes of each
    piece read and may raise to give up. Raises `FileChanged`, `NotRegular` or
    `Unreadable`, and UsageError for an unknown algorithm.
    """
    names = check_algorithms(algorithms)
    attempt = 1
    while True:
        try:
            return _attempt(path, names, expected, threads, advance)
        except FileChanged:
            if expected is not None or attempt == _ATTEMPTS:
                raise
            attempt += 1
        except OSError as problem:
            raise Unreadable(path, problem) from problem


def _attempt(
    path: str,
    names: tuple[str, ...],
    expected: Fingerprint | None,
    threads: int,
    advance: Callable[[int], None] | None,
) -> Digested:
    # Before the open, which would let a writer go on that waits for a FIFO's reader.
    _require_regular(path, os.stat(path).st_mode)  # noqa: PTH116 - a third of this function's time
    descriptor = _open(path)
    try:
        read_at_ns = time.time_ns()
        before = Fingerprint.from_stat(os.fstat(descriptor))
        _require_regular(path, before.mode)
        if expected is not None and not before.same_content(expected):
            raise FileChanged(path, "it is no longer the version asked for", before)
        digests = _read(descriptor, path, before, names, threads, advance)
        after = Fingerprint.from_stat(os.fstat(descriptor))
        if not after.same_content(before):
            raise FileChanged(path, "it kept changing while it was read", after)
        return Digested(after, digests, read_at_ns)
    finally:
        os.close(descriptor)


def _require_regular(path: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotRegular(path, "not a regular file")


def _open(path: str) -> int:
    try:
        return os.open(path, _FLAGS | _NO_ATIME)
    except PermissionError:
        # open(2): O_NOATIME is for the file's owner.
        return os.open(path, _FLAGS)


def _read(
    descriptor: int,
    path: str,
    found: Fingerprint,
    names: tuple[str, ...],
    threads: int,
    advance: Callable[[int], None] | None,
) -> dict[str, str]:
    try:
        if found.size <= WHOLE_BYTES:
            data = whole(descriptor, found.size)
            if advance is not None:
                advance(len(data))
            return {name: _digest_of(name, data) for name in names}
        if found.size >= LARGE_BYTES and threads != 1 and may_thread():
            skip_holes = _may_skip_holes(descriptor)
            with read_ahead(descriptor, found.size, skip_holes=skip_holes) as stream:
                return _feed(stream, names, threads, advance)
        return _feed(in_turn(descriptor, found.size), names, 1, advance)
    except TooShortError:
        raise FileChanged(path, "its size and its content do not agree", found) from None


def _may_skip_holes(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    return is_sparse(found) and believes_holes(found, filesystem_of(found.st_dev), time.time_ns())


def _digest_of(name: str, data: bytes) -> str:
    if name == "blake3":
        from blake3 import blake3

        return blake3(data).hexdigest()
    hasher = new_hasher(name)
    hasher.update(data)
    return hasher.hexdigest()


def _feed(
    stream: Iterable[memoryview],
    names: tuple[str, ...],
    threads: int,
    advance: Callable[[int], None] | None,
) -> dict[str, str]:
    hashers = {name: new_hasher(name, threads=threads) for name in names}
    for piece in stream:
        for hasher in hashers.values():
            hasher.update(piece)
        if advance is not None:
            advance(len(piece))
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}
