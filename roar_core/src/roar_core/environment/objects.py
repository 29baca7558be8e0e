"""Content-addressed objects of a project: snapshots and plans, below `.roar/objects`."""

from __future__ import annotations

import os

from roar_core.errors import RefusedError


def object_path(objects_dir: str, name: str) -> str:
    """Where the object called `blake3:<hex>` lies, stored or not."""
    digest = name.removeprefix("blake3:")
    return f"{objects_dir}/{digest[:2]}/{digest[2:]}"


def store_object(objects_dir: str, content: bytes) -> str:
    """Store `content` for its owner's eyes only, whole or not at all; return its name.

    Raises `RefusedError` when it cannot be written: a record must not name what does not exist.
    """
    from blake3 import blake3

    digest = blake3(content).hexdigest()
    path = object_path(objects_dir, digest)
    try:
        if not _is_stored(path, content):
            _write(path, content)
    except OSError as error:
        raise RefusedError(
            f"the snapshot of uncommitted changes cannot be written to {objects_dir}"
            f" ({error.strerror}); make room or give yourself write access,"
            " or run with --dirty allow"
        ) from error
    return f"blake3:{digest}"


def _is_stored(path: str, content: bytes) -> bool:
    """Whether the object is there and is what its name says: a crash may have left it short."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms before a run
            return file.read(len(content) + 1) == content
    except FileNotFoundError:
        return False


def _write(path: str, content: bytes) -> None:
    folder = os.path.dirname(path)  # noqa: PTH120 - pathlib costs 8 ms before a run
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, path)  # noqa: PTH104
    except OSError:
        os.unlink(temporary)  # noqa: PTH108
        raise
