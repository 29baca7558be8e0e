"""What there is so far of a file that is being fetched, so that a killed roar can go on.

The bytes lie beside the place where the file will be, under a hidden name made of the file's own,
and next to them a list of the ranges that are whole. Both are believed again only for the same
version of the object, and only until the machine starts anew: what a crash of the machine left of
the bytes is not known.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from blake3 import blake3

from roar_core.boot import boot_id
from roar_core.errors import AlreadyThereError, RoarError
from roar_core.hookspecs import RemoteObject
from roar_core.transfer.file import PART_PREFIX, WRITTEN_BYTES, place_new, sync_folder

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Part:
    """The unfinished file of `target`, held by this process alone; `close` when done.

    `done` are the ranges that are whole already, as start -> length.
    """

    def __init__(self, target: str, source: RemoteObject, *, keeps_ranges: bool) -> None:
        self.target = target
        self.path = part_path(target)
        self.done: dict[int, int] = {}
        self._list: int | None = None
        with _told(target):
            self._descriptor = _held(self.path, target)
            try:
                if keeps_ranges:
                    self._recall(source)
                else:
                    os.ftruncate(self._descriptor, 0)
            except BaseException:
                self.close()
                raise

    def write(self, data: bytes, at: int) -> None:
        """Put bytes at their place."""
        view = memoryview(data)
        with _told(self.target):
            while view:
                written = os.pwrite(self._descriptor, view[:WRITTEN_BYTES], at)
                view, at = view[written:], at + written

    def read(self, size: int, at: int) -> bytes:
        """Bytes that were written before."""
        with _told(self.target):
            return os.pread(self._descriptor, size, at)

    def finished(self, start: int, length: int) -> None:
        """Note that a range is whole."""
        if self._list is not None:
            with _told(self.target):
                os.write(self._list, b"%d %d\n" % (start, length))

    def sync(self) -> None:
        """Have what was written on the disk, as `place` needs it."""
        with _told(self.target):
            os.fsync(self._descriptor)

    def start_again(self) -> None:
        """Forget what was written."""
        with _told(self.target):
            os.ftruncate(self._descriptor, 0)

    def place(self, *, replace: bool) -> os.stat_result:
        """Give the file its name: whole, on the disk, and all at once; its stat as it then is."""
        self.sync()
        with _told(self.target):
            if replace:
                os.replace(self.path, self.target)
            else:
                try:
                    place_new(self.path, self.target)
                except FileExistsError as error:
                    raise AlreadyThereError(
                        f"{self.target} came to be there meanwhile; --force replaces it"
                    ) from error
            self._forget_list()
            return os.fstat(self._descriptor)

    def discard(self) -> None:
        """Delete what there is."""
        with suppress(OSError):
            os.unlink(self.path)
        self._forget_list()

    def close(self) -> None:
        """Let go; what there is stays, for the next one to go on with."""
        os.close(self._descriptor)
        if self._list is not None:
            os.close(self._list)

    def _recall(self, source: RemoteObject) -> None:
        """Believe the list of ranges if it is of these very bytes, else begin a new one."""
        header = _header_of(source)
        self._list = os.open(self._list_path, _FLAGS | os.O_APPEND, 0o666)
        size = os.fstat(self._descriptor).st_size
        lines = _whole_lines(self._list)
        if header is not None and lines[:1] == [header]:
            for line in lines[1:]:
                start, _, length = line.partition(b" ")
                if start.isdigit() and length.isdigit() and int(start) + int(length) <= size:
                    self.done[int(start)] = int(length)
        if not self.done:
            os.ftruncate(self._descriptor, 0)
            os.ftruncate(self._list, 0)
            if header is not None:
                os.write(self._list, header + b"\n")

    @property
    def _list_path(self) -> str:
        return f"{self.path}.ranges"

    def _forget_list(self) -> None:
        if self._list is not None:
            with suppress(OSError):
                os.unlink(self._list_path)


def part_path(target: str) -> str:
    """Where the unfinished file of `target` lies."""
    name = blake3(os.fsencode(os.path.basename(target))).hexdigest()[:16]
    return os.path.join(os.path.dirname(target), f"{PART_PREFIX}{name}")


def _held(path: str, target: str) -> int:
    """The part's descriptor, locked, and surely of the file that has the name."""
    while True:
        descriptor = os.open(path, _FLAGS, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RoarError(
                f"another roar is fetching {target}; wait for it to end, then run this again"
            ) from None
        except OSError:  # a network file system without locks
            return descriptor
        # Whoever held it may have given it its name, or thrown it away.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)


def _header_of(source: RemoteObject) -> bytes | None:
    """What names the bytes, None when nothing does: then they are not believed again."""
    if source.version is None and source.etag is None:
        return None
    boot = boot_id()
    if not boot:
        return None
    facts = {"url": source.url, "size": source.size, "version": source.version}
    return json.dumps({**facts, "etag": source.etag, "boot": boot}).encode()


def _whole_lines(descriptor: int) -> list[bytes]:
    """The lines of a file that end; the last one may have been cut by a kill."""
    content = b""
    while piece := os.pread(descriptor, 1 << 20, len(content)):
        content += piece
    return content.split(b"\n")[:-1]


@contextmanager
def _told(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"cannot write {target}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason += "; what was fetched is kept: make room and run it again"
        raise RoarError(reason) from error


def finish_folder(folder: str) -> None:
    """Have the names of a folder's files on the disk."""
    with _told(folder):
        sync_folder(folder)
