"""Find and start the command exactly as the shell would have.

`posix_spawn` rather than fork: roar's own threads and memory never reach the child, and a failed
exec is told at once. Descriptors of ours are close-on-exec, so the child gets the three the user
gave.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence

# The interpreter ignores these two in itself; the child must not inherit that.
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


class CannotStartError(Exception):
    """The command was not started. `exit_code` is 127 (not found) or 126, as shells have it."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def find_program(name: str, search_path: str | None) -> str:
    """The file that `name` starts: `name` itself when it has a slash, else the first of the PATH.

    Raises `CannotStartError` when there is none, or none that may be executed.
    """
    if "/" in name:
        _require_executable(name, name)
        return name
    if not name:
        raise CannotStartError("command not found: its name is empty", 127)
    refused = None
    for folder in (search_path if search_path is not None else os.defpath).split(os.pathsep):
        candidate = os.path.join(folder or ".", name)  # noqa: PTH118 - keeps a leading ./ as exec does
        try:
            _require_executable(candidate, name)
        except CannotStartError as error:
            refused = refused or (error if error.exit_code == 126 else None)
            continue
        return candidate
    raise refused or CannotStartError(
        f"command not found: {name}; check the spelling and PATH", 127
    )


def start(
    program: str,
    argv: Sequence[bytes],
    environ: Mapping[bytes, bytes],
    *,
    mask: frozenset[signal.Signals],
    pass_fds: Sequence[int] = (),
) -> int:
    """Start `program`; returns its pid. `mask` is the signal mask the child shall have."""
    for descriptor in pass_fds:
        os.set_inheritable(descriptor, True)
    try:
        return _spawn(program, list(argv), environ, mask)
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            # A script without `#!`: execvp(3) and every shell hand it to sh.
            return _spawn("/bin/sh", [b"sh", os.fsencode(program), *argv[1:]], environ, mask)
        name = os.fsdecode(argv[0])
        # The file itself was there a moment ago, so it is what its first line names that is not.
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        reason = "its interpreter does not exist" if missing else error.strerror
        exit_code = 127 if missing else 126
        raise CannotStartError(f"{name} cannot be executed: {reason}", exit_code) from error


def _spawn(
    program: str,
    argv: list[bytes],
    environ: Mapping[bytes, bytes],
    mask: frozenset[signal.Signals],
) -> int:
    return os.posix_spawn(program, argv, environ, setsigmask=mask, setsigdef=_RESTORED)


def _require_executable(path: str, name: str) -> None:
    if os.path.isdir(path):  # noqa: PTH112 - `path` may be any bytes
        raise CannotStartError(f"{name} is a directory, not a command", 126)
    if not os.path.exists(path):  # noqa: PTH110
        raise CannotStartError(f"command not found: {name}; check the spelling and PATH", 127)
    if not os.access(path, os.X_OK):
        raise CannotStartError(f"{name} is not executable; try: chmod +x {name}", 126)
