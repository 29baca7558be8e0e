"""What roar itself needs of the caller's limits; the command keeps them as they are."""

from __future__ import annotations

import errno
import os

from roar_core.errors import RefusedError

# Database, journal, pipes of the early hasher, one file per hashing thread, and some room.
_DESCRIPTORS = 24


def require_descriptors() -> None:
    """Raise `RefusedError` unless roar can open the files it needs: better now than half-way."""
    held: list[int] = []
    try:
        while len(held) < _DESCRIPTORS:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise RefusedError(f"cannot open {os.devnull}: {error.strerror}") from error
        raise RefusedError(
            f"too few files may be opened here: roar needs {_DESCRIPTORS} beside those that are"
            " open; raise the limit (ulimit -n 256)"
        ) from error
    finally:
        for descriptor in held:
            os.close(descriptor)
