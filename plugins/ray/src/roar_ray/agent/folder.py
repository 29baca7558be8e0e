"""Where a worker's journal lies: in the run's folder, when the node is the driver's machine.

Elsewhere in a private folder of the node's, from where it is fetched.
"""

from __future__ import annotations

import os
import stat
import tempfile
from typing import NamedTuple

NONCE = "nonce"


class Folder(NamedTuple):
    """A folder for journals, and whether the driver's machine has it too."""

    path: str
    is_shared: bool


def folder_of(run: str, shared: str, nonce: str) -> Folder:
    """The folder for this process's journal, made where it is missing. Raises OSError."""
    if shared and _is_ours(shared, nonce):
        return Folder(shared, True)
    return Folder(node_folder(run), False)


def node_folder(run: str) -> str:
    """The folder of a run's journals on a node that shares none with the driver's machine."""
    above = os.path.join(tempfile.gettempdir(), f"roar-ray-{os.getuid()}")
    for path in (above, os.path.join(above, run)):
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            status = os.lstat(path)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                raise PermissionError(f"{path!r} belongs to somebody else") from None
    return path


def _is_ours(path: str, nonce: str) -> bool:
    """Whether this is the very folder that the driver means, and we may write there."""
    try:
        with open(os.path.join(path, NONCE), encoding="ascii") as file:
            return file.read(256).strip() == nonce and os.access(path, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        return False
