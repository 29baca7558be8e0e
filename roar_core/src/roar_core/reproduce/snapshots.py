"""Unpack a snapshot of uncommitted changes (`environment.snapshot`) into a target directory.

The archive may come from anybody: it is checked against its name, and no member leaves the target.
"""

from __future__ import annotations

import io
import os
import tarfile
from typing import NamedTuple

from blake3 import blake3

from roar_core.environment.objects import object_path
from roar_core.errors import UnreproducibleError
from roar_core.reproduce.places import is_safe, leads_outside, move_root


class Snapshot(NamedTuple):
    """What a snapshot holds: the patch for `git apply`, and the untracked files by path."""

    patch: bytes
    files: dict[str, tarfile.TarInfo]
    archive: tarfile.TarFile


def has_object(objects_dir: str, name: str) -> bool:
    """Whether an object of the project is stored."""
    return os.path.isfile(object_path(objects_dir, name))  # noqa: PTH113


def read_snapshot(objects_dir: str, name: str) -> Snapshot:
    """Read the snapshot called `blake3:<hex>`.

    Raises `UnreproducibleError` when it is gone, damaged, or names a path outside.
    """
    try:
        with open(object_path(objects_dir, name), "rb") as file:  # noqa: PTH123
            content = file.read()
    except OSError as error:
        raise UnreproducibleError(
            f"the snapshot {name[:19]} cannot be read: {error.strerror}"
        ) from error
    if f"blake3:{blake3(content).hexdigest()}" != name:
        raise UnreproducibleError(f"the snapshot {name[:19]} is damaged: its bytes have changed")
    try:
        archive = tarfile.open(  # noqa: SIM115 - lives as long as the snapshot
            fileobj=io.BytesIO(content), encoding="utf-8", errors="surrogateescape"
        )
        members = archive.getmembers()
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise UnreproducibleError(f"the snapshot {name[:19]} is no archive: {error}") from error
    patch = b""
    files: dict[str, tarfile.TarInfo] = {}
    for member in members:
        path = os.fsdecode(member.name.encode("utf-8", "surrogateescape"))
        if path == "patch.diff" and member.isreg():
            patch = _content(archive, member)
            continue
        relative = path.removeprefix("files/")
        is_plain = member.isreg() or member.issym()
        if relative == path or relative == "." or not is_plain or not is_safe(relative):
            raise UnreproducibleError(f"the snapshot {name[:19]} names {path!r}, outside the tree")
        files[relative] = member
    return Snapshot(patch, files, archive)


def unpack(snapshot: Snapshot, root: str, old_root: str) -> list[str]:
    """Write the untracked files below `root`; returns their relative paths.

    A link into the tree it was taken from (`old_root`) leads into this one. Raises
    `UnreproducibleError` when a link on the way leads outside.
    """
    for relative, member in sorted(snapshot.files.items()):
        path = f"{root}/{relative}"
        folder = os.path.dirname(relative)  # noqa: PTH120
        if folder and leads_outside(root, folder):
            raise UnreproducibleError(f"{relative!r} would be written through a link, outside")
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        if os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path)):  # noqa: PTH112, PTH114
            os.unlink(path)  # noqa: PTH108
        if member.issym():
            target = os.fsdecode(member.linkname.encode("utf-8", "surrogateescape"))
            os.symlink(move_root(target, old_root, root), path)  # noqa: PTH211
            continue
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o755 if member.mode & 0o100 else 0o644)
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(_content(snapshot.archive, member))
    return sorted(snapshot.files)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read()
