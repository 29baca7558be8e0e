"""Take back what the interpreter adds to its own environment: commands must not get it.

In the C locale Python sets LC_CTYPE as it starts (PEP 538), and what it starts would inherit that.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_COERCED = "LC_CTYPE"


def undo() -> None:
    """Remove the variable from `os.environ` where this process was started without it.

    How this interpreter itself decodes names stays as it is.
    """
    if _COERCED not in os.environ:
        return
    # Without /proc nobody knows who has set it.
    with contextlib.suppress(OSError):
        given = Path("/proc/self/environ").read_bytes().split(b"\0")
        if not any(variable.startswith(b"LC_CTYPE=") for variable in given):
            del os.environ[_COERCED]
