"""The files that a source of `roar put` stands for, and what is left out of it."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from roar_core.errors import NotFoundError, RoarError
from roar_core.model.fingerprint import Fingerprint
from roar_core.project import ROAR_DIR
from roar_core.transfer.file import PART_PREFIX


class Found(NamedTuple):
    """A file: where it is, what it is called below its source, and its version."""

    path: str
    name: str
    fingerprint: Fingerprint


class Walked(NamedTuple):
    """A source. `left_out` says of each thing that is not taken along what it is."""

    files: tuple[Found, ...]
    left_out: tuple[str, ...]
    is_folder: bool


def walk(source: str, *, follow: bool) -> Walked:
    """A file, or all files below a folder, by name.

    A link that is named itself is followed; below a folder one that leads to a file within it is
    its bytes under another name. Any other is left out, unless `follow`, as are sockets and the
    like, and what roar keeps for itself. Raises NotFoundError, or RoarError for what is unreadable.
    """
    top = os.path.normpath(source)
    try:
        found = os.stat(top)
        if stat.S_ISREG(found.st_mode):
            name = os.path.basename(top)
            return Walked((Found(top, name, Fingerprint.from_stat(found)),), (), False)
        if not stat.S_ISDIR(found.st_mode):
            raise RoarError(f"{source} is neither a file nor a folder, and cannot be put")
        files: list[Found] = []
        left_out: list[str] = []
        _walk(top, "", follow, {(found.st_dev, found.st_ino)}, files, left_out)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {source}; check its spelling") from error
    except OSError as error:
        raise RoarError(f"cannot read {error.filename or source}: {error.strerror}") from error
    return Walked(tuple(files), tuple(left_out), True)


def _walk(
    top: str,
    below: str,
    follow: bool,
    above: set[tuple[int, int]],
    files: list[Found],
    left_out: list[str],
) -> None:
    folder = os.path.join(top, below) if below else top
    with os.scandir(folder) as opened:
        entries = sorted(opened, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.name == ROAR_DIR or entry.name.startswith(PART_PREFIX):
            left_out.append(f"{entry.path} (roar's own)")
            continue
        reason = _reason_to_leave(entry, top, follow)
        if reason:
            left_out.append(f"{entry.path} ({reason})")
        elif entry.is_dir():
            inner = entry.stat()
            identity = (inner.st_dev, inner.st_ino)
            if identity in above:
                left_out.append(f"{entry.path} (a link to a folder above)")
            else:
                _walk(top, name, follow, above | {identity}, files, left_out)
        else:
            files.append(Found(entry.path, name, Fingerprint.from_stat(entry.stat())))


def _reason_to_leave(entry: os.DirEntry[str], top: str, follow: bool) -> str | None:
    if entry.is_symlink() and not os.path.exists(entry.path):
        return "a link to nothing"
    if not (entry.is_dir() or entry.is_file()):
        return "neither a file nor a folder"
    if not entry.is_symlink() or follow:
        return None
    if entry.is_dir():
        return "a link to a folder"
    return None if leads_inside(top, entry.path) else "a link that leads out"


def leads_inside(top: str, path: str) -> bool:
    """Whether what `path` leads to lies below the folder `top`."""
    return os.path.realpath(path).startswith(f"{os.path.realpath(top).rstrip('/')}/")
