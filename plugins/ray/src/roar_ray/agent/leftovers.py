"""Journals that drivers left on this node: nobody fetches what a killed one had not been sent.

A journal in use is locked by its worker, so that another run's is never taken for one that is over.
"""

from __future__ import annotations

import fcntl
import os
import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

# Long enough for somebody who wants to look at them.
KEPT_S = 24 * 3600
# How many of those that are left are told by name.
_TOLD = 3
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

    `own` is the run that goes on; `before` in seconds since the epoch. What cannot be deleted keeps
    nothing else: when all the rest has gone, raises OSError, which says what is left.
    """
    left: list[str] = []
    for name in os.listdir(above):
        folder = os.path.join(above, name)
        if name != own and _RUN.fullmatch(name) and not os.path.islink(folder):
            left += _left_in(folder, before)
    if left:
        more = f"; and {len(left) - _TOLD} more" if len(left) > _TOLD else ""
        raise OSError(f"of runs that are over is left: {'; '.join(left[:_TOLD])}{more}")


def _left_in(folder: str, before: float) -> list[str]:
    """Delete one run's folder; what of it could not be deleted, and why."""
    left: list[str] = []
    paths = [os.path.join(folder, name) for name in _tried(os.listdir, folder, left) or ()]
    found = [_tried(os.lstat, path, left) for path in (folder, *paths)]
    if any(stat is not None and stat.st_mtime > before for stat in found):
        return []
    in_use = {path: _tried(_is_in_use, path, left) for path in paths}
    if any(in_use.values()):
        return []
    for path in paths:
        if in_use[path] is False:
            _tried(os.unlink, path, left)
    if not left:
        _tried(os.rmdir, folder, left)
    return left


def _tried(action: Callable[[str], T], path: str, left: list[str]) -> T | None:
    """What `action` makes of a path; None where it cannot, which is noted."""
    try:
        return action(path)
    except FileNotFoundError:  # another worker does the same
        return None
    except OSError as error:
        left.append(str(error))
        return None


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
