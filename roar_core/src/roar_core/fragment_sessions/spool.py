"""Where a node keeps what it has to send, until a registry has it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from roar_core.fragment_sessions.session import Session


def spool_of(session: Session) -> Path:
    """A folder of this node for one session, which nobody but the user can look into.

    The same for all tasks of the session, so that a later one sends what an earlier one could not;
    one of its own where somebody else has been there before. Raises OSError.
    """
    # Not the user's home: nodes may share it, and locks and processes are told by the node.
    own = Path(tempfile.gettempdir(), f"roar-{os.getuid()}")
    try:
        return _private(_private(own) / session.id)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="roar-"))


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not this user's alone")
    return folder
