"""One object on its way to a file: in ranges at once where it is large, and never half there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing

import attrs

from roar_core.errors import RoarError, TemporaryError
from roar_core.hashing.digests import ALGORITHMS, Hasher, new_hasher
from roar_core.hookspecs import RemoteObject, Transfer
from roar_core.model.fingerprint import Fingerprint
from roar_core.transfer.parts import Part
from roar_core.transfer.patience import Patience

# What is read with one request, and what a kill costs at most. Smaller objects are read whole.
RANGE_BYTES = 16 << 20
_HASH_BYTES = 1 << 20
_SYNCED_RANGES = 4
# The strongest first: one of a store's own digests is enough.
_STRENGTH = ("blake3", "sha512", "sha256", "md5")


@attrs.frozen
class Fetch:
    """An object, and the file that it becomes, somewhere below `root`; both paths are absolute."""

    source: RemoteObject
    transfer: Transfer
    target: str
    root: str
    replace: bool = False


@attrs.frozen
class Fetched:
    """A file that is there: what it was made from, its digests, its version.

    `source` has the size that was really found.
    """

    source: RemoteObject
    target: str
    fingerprint: Fingerprint
    digests: Mapping[str, str]


class Fetching:
    """A `Fetch` under way; its `tasks` may be carried out in any order and at once.

    `wanted` are digests that the bytes must have; `algorithms` what to compute besides. `advance`
    is told of bytes as they come, and may raise.
    """

    def __init__(
        self,
        fetch: Fetch,
        advance: Callable[[int], None],
        stop: threading.Event,
        *,
        wanted: Mapping[str, str],
        algorithms: tuple[str, ...],
        on_done: Callable[[Fetched], None],
    ) -> None:
        self.fetch = fetch
        self._advance = advance
        self._stop = stop
        self._on_done = on_done
        self._expected = expected_digests(fetch.source, wanted)
        names = dict.fromkeys(("blake3", *algorithms, *self._expected))
        self._hashers: dict[str, Hasher] = {name: new_hasher(name) for name in names}
        size = fetch.source.size
        self._is_ranged = fetch.source.ranges and size is not None and size > RANGE_BYTES
        self._part: Part | None = None
        self._lock = threading.Lock()
        self._hashing = threading.Lock()
        self._syncing = threading.Lock()
        self._whole: dict[int, int] = {}
        self._hashed = 0
        self._left = 0
        self._active = 0
        self._failed = False

    def tasks(self) -> Iterator[Callable[[], None]]:
        """What is to be done, in the order of the bytes. Opens the part."""
        source = self.fetch.source
        self._part = Part(self.fetch.target, source, keeps_ranges=self._is_ranged)
        if not self._is_ranged:
            return iter((self._guarded(self._fetch_in_order),))
        assert source.size is not None
        wanted = [
            (start, min(RANGE_BYTES, source.size - start))
            for start in range(0, source.size, RANGE_BYTES)
        ]
        self._whole = {s: n for s, n in wanted if self._part.done.get(s) == n}
        missing = [(s, n) for s, n in wanted if s not in self._whole]
        self._left = max(1, len(missing))
        if self._whole:
            self._advance(sum(self._whole.values()))
        if not missing:
            return iter((self._guarded(lambda: self._range_done(0, 0)),))
        return (self._task(start, length) for start, length in missing)

    def close(self) -> None:
        """Let go of the part when nobody works on it; ranges that are whole stay with it."""
        with self._lock:
            if self._active or self._part is None:
                return
            part, self._part = self._part, None
        if not self._is_ranged:
            part.discard()
        part.close()

    def _guarded(self, work: Callable[[], None]) -> Callable[[], None]:
        """`work`, unless a range of this object has failed already."""

        def carry_out() -> None:
            with self._lock:
                if self._failed or self._part is None:
                    return
                self._active += 1
            try:
                work()
            except BaseException:
                self._failed = True
                raise
            finally:
                with self._lock:
                    self._active -= 1
                if self._failed:
                    self.close()

        return carry_out

    def _task(self, start: int, length: int) -> Callable[[], None]:
        return self._guarded(lambda: self._fetch_range(start, length))

    def _fetch_range(self, start: int, length: int) -> None:
        part = self._part
        assert part is not None
        source, patience, done = self.fetch.source, Patience(self._stop), 0
        while done < length:
            try:
                with closing(closable(self._read(start + done, length - done))) as pieces:
                    for piece in pieces:
                        if done + len(piece) > length:
                            raise _too_much(source)
                        part.write(piece, start + done)
                        done += len(piece)
                        self._advance(len(piece))
                        patience.renew()
                if done < length:
                    raise _too_little(source)
            except TemporaryError as error:
                patience.wait_after(error)
        part.finished(start, length)
        self._range_done(start, length)

    def _range_done(self, start: int, length: int) -> None:
        part = self._part
        assert part is not None
        with self._lock:
            if length:
                self._whole[start] = length
            self._left -= 1
            is_last = self._left == 0
            count = len(self._whole)
        if is_last:
            with self._hashing, self._syncing:
                self._hash_on(part)
                self._finish(part)
            return
        self._if_free(self._hashing, lambda: self._hash_on(part))
        if count % _SYNCED_RANGES == 0:
            self._if_free(self._syncing, lambda: self._sync_on(part))

    def _if_free(self, lock: threading.Lock, work: Callable[[], None]) -> None:
        """Do `work` unless another thread is at it: no download waits for that."""
        if lock.acquire(blocking=False):
            try:
                work()
            finally:
                lock.release()

    def _sync_on(self, part: Part) -> None:
        """Bring to the disk what has come: else all of it is waited for at the end."""
        if self._part is part:  # it may have its name meanwhile
            part.sync()

    def _hash_on(self, part: Part) -> None:
        """Hash what is whole from the beginning on, while it is still in memory."""
        while (length := self._whole.get(self._hashed)) is not None:
            end = self._hashed + length
            at = self._hashed
            while at < end:
                data = part.read(min(_HASH_BYTES, end - at), at)
                if not data:
                    raise RoarError(f"{part.path} was changed by somebody; run it again")
                self._update(data)
                at += len(data)
            self._hashed = end

    def _fetch_in_order(self) -> None:
        """An object that is small, or can only be read from its beginning."""
        part = self._part
        assert part is not None
        source, patience, done = self.fetch.source, Patience(self._stop), 0
        while True:
            try:
                left = None if source.size is None else source.size - done
                with closing(closable(self._read(done, left))) as pieces:
                    for piece in pieces:
                        if left is not None and done + len(piece) > (source.size or 0):
                            raise _too_much(source)
                        part.write(piece, done)
                        self._update(piece)
                        done += len(piece)
                        self._advance(len(piece))
                        if source.ranges:
                            patience.renew()
                if source.size is not None and done < source.size:
                    raise _too_little(source)
                break
            except TemporaryError as error:
                patience.wait_after(error)
                if not source.ranges:
                    self._advance(-done)
                    part.start_again()
                    self._hashers = {name: new_hasher(name) for name in self._hashers}
                    done = 0
        self._finish(part)

    def _read(self, start: int, length: int | None) -> Iterator[bytes]:
        source = self.fetch.source
        if length == 0 and start:
            return iter(())
        return self.fetch.transfer.read(source, start, length)

    def _update(self, data: bytes) -> None:
        for hasher in self._hashers.values():
            hasher.update(data)

    def _finish(self, part: Part) -> None:
        digests = {name: hasher.hexdigest() for name, hasher in self._hashers.items()}
        try:
            require_digests(self.fetch.source.url, digests, self._expected)
        except RoarError:
            part.discard()
            raise
        found = Fingerprint.from_stat(part.place(replace=self.fetch.replace))
        with self._lock:
            self._part = None
        part.close()
        source = attrs.evolve(self.fetch.source, size=found.size)
        self._on_done(Fetched(source, self.fetch.target, found, digests))


def expected_digests(source: RemoteObject, wanted: Mapping[str, str]) -> dict[str, str]:
    """What the bytes must have: what was asked for, and the strongest that the store tells."""
    told = next((name for name in _STRENGTH if name in source.digests), None)
    known = {} if told is None else {told: source.digests[told]}
    return {**known, **{name: wanted[name] for name in wanted if name in ALGORITHMS}}


def require_digests(url: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Raise RoarError when bytes are not those that were expected."""
    for name, digest in expected.items():
        if found[name] != digest:
            raise RoarError(
                f"{url} has {name}:{found[name]}, not {name}:{digest} as expected; what was"
                " fetched is thrown away"
            )


def closable(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    """As a generator, which can be closed: a plain iterator of a plugin may not be."""
    try:
        yield from pieces
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


def _too_much(source: RemoteObject) -> RoarError:
    return RoarError(
        f"{source.url} gives more than the {source.size} bytes it is said to have; run it again"
    )


def _too_little(source: RemoteObject) -> TemporaryError:
    return TemporaryError(f"{source.url} ended before its {source.size} bytes were there")
