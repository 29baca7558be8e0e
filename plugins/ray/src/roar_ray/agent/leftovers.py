"""Journals that drivers left on this node: nobody fetches what a killed one had not been sent.

A journal in use is locked by its worker, so that another run's is never taken for one that is over.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Long enough for somebody who wants to look at them.
KEPT_S = 24 * 3600
_RUN = re.compile(r"[0-9a-f]{32}")


def chore(folder: str) -> Callable[[], None]:
    """Delete once, when it is first called, what is left beside this run's `folder`."""
    is_done = False

    def delete_once() -> None:
        nonlocal is_done
        if not is_done:
            is_done = True
            delete(os.path.dirname(folder), os.path.basename(folder), time.time() - KEPT_S)

    return delete_once


def delete(above: str, own: str, before: float) -> None:
    """Delete the folders of runs in `above` that nobody uses, and whose last change is older.

    `own` is the run that goes on; `before` in seconds since the epoch. Raises OSError.
    """
    for name in os.listdir(above):
        folder = os.path.join(above, name)
        if name == own or not _RUN.fullmatch(name) or os.path.islink(folder):
            continue
        with suppress(FileNotFoundError):  # another worker does the same
            _delete_folder(folder, before)


def _delete_folder(folder: str, before: float) -> None:
    journals = [os.path.join(folder, name) for name in os.listdir(folder)]
    changed = max(os.lstat(path).st_mtime for path in (folder, *journals))
    if changed > before or any(map(_is_in_use, journals)):
        return
    for path in journals:
        os.unlink(path)
    os.rmdir(folder)


def _is_in_use(path: str) -> bool:
    """Whether a worker that lives has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
