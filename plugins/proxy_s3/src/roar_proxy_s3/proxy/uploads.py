"""The parts of multipart uploads, digested as they pass, in whatever order they come.

A digest needs to know where in the object a part begins, which nobody says. It is certain once all
parts before have begun. Until then a part is taken to follow parts as long as the one with the
lowest number, since only the last may differ with nearly every client; and its bytes are kept, in
a file without a name, to be digested anew should that turn out to be wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import attrs

from roar_proxy_s3.proxy import tree
from roar_proxy_s3.proxy.tree import Part

# In memory of one part, and on disk of one upload.
_IN_MEMORY = 1 << 16
_MOST_KEPT = 64 << 20
_PIECE = 1 << 18

NOT_BUILT = "parts are not digested: the library was not compiled"
OTHER_SHAPE = "its parts differ in size, and came in an order that could not be followed"
COPIED = "a part was copied within the store"
UNSEEN = "a part was not sent through this proxy"


class SentPart:
    """One part of an upload, given its bytes as they pass."""

    def __init__(self, start: int, kept: IO[bytes] | None, most: int) -> None:
        self.kept_bytes = 0
        self._part, self._kept, self._most = Part(start), kept, most
        self._is_ended = False

    def update(self, piece: bytes) -> None:
        """See the next bytes."""
        self._part.update(piece)
        if self._kept is None:
            return
        self.kept_bytes += len(piece)
        if self.kept_bytes > self._most or not _is_written(self._kept, piece):
            self.forget()

    def end(self) -> None:
        """There are no more."""
        self._part.end()
        self._is_ended = True

    def at(self, start: int) -> Part | None:
        """The part, digested as of where it is now known to begin; None if that cannot be."""
        if self._part.start != start:
            if self._kept is None:
                return None
            self._part = Part(start)
            for piece in _read(self._kept):
                self._part.update(piece)
            if self._is_ended:
                self._part.end()
        self.forget()
        return self._part

    def forget(self) -> None:
        """Keep its bytes no longer."""
        if self._kept is not None:
            self._kept.close()
            self._kept, self.kept_bytes = None, 0


@attrs.define
class Upload:
    """The parts of one multipart upload. `folder` is where bytes are kept while they must be."""

    folder: Path
    # How long parts are, as their requests say, and where the first ones without a gap begin.
    _lengths: dict[int, int] = attrs.field(factory=dict)
    _starts: list[int] = attrs.field(factory=lambda: [0])
    _uncertain: dict[int, SentPart] = attrs.field(factory=dict)
    _guessed: list[SentPart] = attrs.field(factory=list)
    _parts: dict[int, tuple[SentPart | None, int]] = attrs.field(factory=dict)

    def begin(self, number: int, length: int) -> SentPart | None:
        """A part that is about to be sent; None where parts are not digested."""
        if not tree.is_there() or number < 1:
            return None
        if self._lengths.get(number, length) != length:
            self._starts = [0]
        self._lengths[number] = length
        while (following := len(self._starts)) in self._lengths:
            self._starts.append(self._starts[-1] + self._lengths[following])
        if number < len(self._starts):
            part = SentPart(self._starts[number - 1], None, 0)
            self._uncertain.pop(number, None)
        else:
            part = self._guess(number)
        for other in [each for each in self._uncertain if each < len(self._starts)]:
            self._uncertain.pop(other).at(self._starts[other - 1])
        return part

    def _guess(self, number: int) -> SentPart:
        import tempfile  # seldom needed, and slow to import

        left = _MOST_KEPT - sum(each.kept_bytes for each in self._guessed)
        kept: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - until it is certain
            _IN_MEMORY, dir=os.fspath(self.folder)
        )
        part = SentPart((number - 1) * self._lengths[min(self._lengths)], kept, left)
        self._uncertain[number] = part
        self._guessed.append(part)
        return part

    def add(self, number: int, part: SentPart | None, length: int) -> None:
        """A part that the store has; None for one of which nothing is known but that."""
        self._parts[number] = (part, length)

    def whole(self, numbers: Sequence[int]) -> tuple[int | None, str | None, str]:
        """Size and digest of an object of these parts, and why one of them is not known."""
        found = [self._parts.get(number) for number in numbers]
        if not found or None in found:
            return None, None, UNSEEN
        known = [each for each in found if each is not None]
        if any(length < 0 for _, length in known):
            return None, None, COPIED
        size = sum(length for _, length in known)
        if not tree.is_there():
            return size, None, NOT_BUILT
        at, merged = 0, Part(0)
        for sent, length in known:
            part = sent.at(at) if sent is not None else None
            if part is None or part.stop - part.start != length:
                return size, None, OTHER_SHAPE
            merged.join(part)
            at += length
        return size, merged.digest(), OTHER_SHAPE

    def close(self) -> None:
        """Keep nothing any longer."""
        for part in self._guessed:
            part.forget()


def _is_written(kept: IO[bytes], piece: bytes) -> bool:
    """Whether there was room: on a full disk, which is the user's to fill, there is none."""
    try:
        kept.write(piece)
    except OSError:
        return False
    return True


def _read(kept: IO[bytes]) -> Iterator[bytes]:
    """What is kept, which goes on behind that afterwards."""
    kept.seek(0)
    while piece := kept.read(_PIECE):
        yield piece
