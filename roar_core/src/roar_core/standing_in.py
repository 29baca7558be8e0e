"""For a Python that stands where a command will: what the command gets is as if it had never been.

Imports nothing that an interpreter has not already, for it runs before everything else.
"""

from __future__ import annotations

import contextlib
import os
import sys

_COERCED = "LC_CTYPE"


def forget_own_locale() -> None:
    """Take out of `os.environ` what the interpreter has put there: LC_CTYPE, in the C locale.

    See PEP 538. How this interpreter itself decodes names stays as it is. Where there is no /proc,
    nobody knows who has set it, and it stays.
    """
    if _COERCED not in os.environ:
        return
    with contextlib.suppress(OSError):
        # No pathlib: it may not be loaded yet.
        with open("/proc/self/environ", "rb") as source:  # noqa: PTH123
            given = source.read().split(b"\0")
        if not any(variable.startswith(b"LC_CTYPE=") for variable in given):
            del os.environ[_COERCED]


def occupy_standard_descriptors() -> None:
    """Keep files of ours out of 0, 1 and 2 where the caller closed them (`>&-`).

    The interpreter opens close-on-exec, so the command gets them as closed as they were.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
            continue
        os.close(descriptor)
