"""Files that are the user's alone: locked while they change, and only ever replaced whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is replaced whole, making its folder, the user's alone."""
    import fcntl

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def replace(path: Path, content: bytes) -> None:
    """Put new content in a file's place at once, for its owner alone to read. Raises OSError."""
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with ExitStack() as cleaning:
        cleaning.callback(os.unlink, temporary)
        with os.fdopen(fd, "wb") as stream:  # mkstemp made it 0600
            stream.write(content)
            stream.flush()
            os.fsync(fd)
        Path(temporary).replace(path)
        cleaning.pop_all()
