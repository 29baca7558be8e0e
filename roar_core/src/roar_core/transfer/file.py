"""Files of this machine and of what is mounted: plain paths, and file:///folder/file.

Files are read and written by read(2) and write(2) alone: a mapping of a file on NFS that somebody
cuts short is SIGBUS.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from roar_core.errors import AlreadyThereError, NotFoundError, RoarError, UsageError
from roar_core.hookspecs import RemoteObject, Upload

PIECE_BYTES = 1 << 20
# With one call. Larger ones have the kernel take larger pages, which on a virtual machine with ext4
# took three times the CPU and the time (dd of 1 GiB: 1.5 s of CPU, and 0.45).
WRITTEN_BYTES = 1 << 18
# What is being written, here and by others of us, is no file yet.
PART_PREFIX = ".roar-part-"
_FLAGS = os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC


class FileTransfer:
    """A file's inode, size and times are its version; links are followed where they are named."""

    schemes = ("file",)

    def list(self, url: str) -> Iterator[RemoteObject]:
        path = path_of_url(url)
        if not os.path.isdir(path):
            yield self._look(path, os.path.basename(path), url)
            return
        found = False
        for relative in files_below(path):
            full = os.path.join(path, relative)
            yield self._look(full, relative, url_of_path(full))
            found = True
        if not found:
            raise NotFoundError(f"there is no file below {url}; check its spelling")

    def read(self, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
        path = path_of_url(source.url)
        descriptor = _opened(path, source.url)
        try:
            found = os.fstat(descriptor)
            if source.version is not None and source.version != _version(found):
                raise RoarError(f"{source.url} has changed since it was listed; run it again")
            end = found.st_size if length is None else start + length
            while start < end:
                piece = os.pread(descriptor, min(PIECE_BYTES, end - start), start)
                if not piece:
                    raise RoarError(f"{source.url} became shorter while it was read; run it again")
                start += len(piece)
                yield piece
            if source.version is not None and source.version != _version(os.fstat(descriptor)):
                raise RoarError(f"{source.url} changed while it was read; run it again")
        except OSError as error:
            raise RoarError(f"cannot read {source.url}: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def below(self, url: str, name: str) -> str:
        return url_of_path(os.path.join(path_of_url(url), name))

    def put(self, upload: Upload) -> RemoteObject:
        path = path_of_url(upload.url)
        folder = os.path.dirname(path)
        try:
            os.makedirs(folder, exist_ok=True)
            if os.path.isdir(path):
                raise AlreadyThereError(f"{upload.url} is a folder")
            draft = _new_draft(folder, upload.state)
            try:
                with _draft(draft) as target:
                    _copy(upload, target)
                    self._place(draft, path, upload)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(draft)
            return self._look(path, os.path.basename(path), upload.url)
        except OSError as error:
            reason = error.strerror or error
            raise RoarError(f"cannot put {upload.source} to {upload.url}: {reason}") from error

    def _place(self, draft: str, path: str, upload: Upload) -> None:
        if upload.replace:
            os.replace(draft, path)
        else:
            try:
                place_new(draft, path)
            except FileExistsError as error:
                raise AlreadyThereError(f"there is a file at {upload.url} already") from error

    def _look(self, path: str, name: str, url: str) -> RemoteObject:
        try:
            found = os.stat(path)
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no file at {url}; check its spelling") from error
        except OSError as error:
            raise RoarError(f"cannot look at {url}: {error.strerror}") from error
        if (found.st_mode & 0o170000) != 0o100000:
            raise RoarError(f"{url} is neither a file nor a folder; name one that is")
        return RemoteObject(url, found.st_size, _version(found), name=name)


def url_of_path(path: str) -> str:
    """The one URL of an absolute path, whatever bytes are in it."""
    return f"file://{quote_from_bytes(os.fsencode(path))}"


def path_of_url(url: str) -> str:
    """The absolute path that a file URL names. Raises UsageError for another machine's."""
    parts = urlsplit(url)
    path = os.fsdecode(unquote_to_bytes(url[len("file://") + len(parts.netloc) :]))
    if parts.netloc not in ("", "localhost") or not path.startswith("/"):
        raise UsageError(f"{url} names no place on this machine; write file:///folder/file")
    if "\0" in path:
        raise UsageError(f"{url} names no file: it holds a NUL")
    return path


def place_new(draft: str, path: str) -> None:
    """Give a file its name, and replace nothing. Raises FileExistsError, and other OSErrors."""
    try:
        os.link(draft, path)  # which never replaces
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.rename(draft, path)
    else:
        os.unlink(draft)


def sync_folder(folder: str) -> None:
    """Have a folder's names written to the disk; some network file systems refuse that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def files_below(top: str) -> Iterator[str]:
    """Every file below a folder, told from there, in the order of URLs; links are followed."""
    try:
        yield from _below(top, top, frozenset())
    except OSError as error:
        where = os.fsdecode(error.filename) if error.filename is not None else top
        raise RoarError(f"cannot list {url_of_path(where)}: {error.strerror}") from error


def _below(top: str, folder: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    found = os.stat(folder)
    here = above | {(found.st_dev, found.st_ino)}
    with os.scandir(folder) as opened:
        entries = [(_as_sorted(entry), entry) for entry in opened]
    for _, entry in sorted(entries, key=lambda pair: pair[0]):
        if entry.name.startswith(PART_PREFIX):
            continue
        if entry.is_dir():
            inner = entry.stat()
            if (inner.st_dev, inner.st_ino) not in here:  # a link to a folder above
                yield from _below(top, entry.path, here)
        elif entry.is_file():
            yield os.path.relpath(entry.path, top)


def _as_sorted(entry: os.DirEntry[str]) -> str:
    """As URLs sort: what is in `a` comes after `a.txt`."""
    return quote_from_bytes(os.fsencode(entry.name)) + "/" * entry.is_dir()


def _opened(path: str, url: str) -> int:
    try:
        return os.open(path, _FLAGS)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file at {url}; check its spelling") from error
    except OSError as error:
        raise RoarError(f"cannot read {url}: {error.strerror}") from error


def _new_draft(folder: str, state: Path) -> str:
    """Where a file is written before it has its name; what a killed put of it left is deleted."""
    note = state / "draft"
    with suppress(OSError, ValueError):
        left = note.read_text()
        if left.startswith(PART_PREFIX) and "/" not in left:
            with open(os.path.join(folder, left), "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while somebody writes it
                os.unlink(file.name)
    name = f"{PART_PREFIX}{secrets.token_hex(8)}"
    note.write_text(name)
    return os.path.join(folder, name)


@contextmanager
def _draft(path: str) -> Iterator[FileIO]:
    """A new file, locked while it is written and named."""
    with open(path, "xb", buffering=0) as target:
        with suppress(OSError):  # a network file system without locks
            fcntl.flock(target, fcntl.LOCK_EX)
        yield target


def _copy(upload: Upload, target: FileIO) -> None:
    with open(upload.source, "rb", buffering=0) as source:
        done = 0
        while piece := source.read(PIECE_BYTES):
            view = memoryview(piece)
            while view:
                view = view[target.write(view[:WRITTEN_BYTES]) :]
            done += len(piece)
            if done > upload.size:
                break
            upload.advance(len(piece))
        if done != upload.size:
            raise RoarError(f"{upload.source} has changed its size; put it again")
        os.fsync(target.fileno())


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}-{found.st_ctime_ns}"
