"""Run a helper program, with a clean environment and a deadline, and keep what it printed.

Here instead of `subprocess`, whose import alone costs 10 ms of every `roar run`. A helper gets no
terminal, its own process group (so a Ctrl-C meant for the user's command does not reach it, and a
deadline ends whatever it started), and nothing of what roar or a repository could smuggle in: no
LD_PRELOAD, no GIT_*, no PYTHON*.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_CHUNK = 1 << 20
_UNWANTED = ("LD_PRELOAD", "LD_AUDIT", "GIT_", "PYTHON", "ROAR_", "BASH_ENV", "BASH_FUNC_")
# Python ignores SIGPIPE and SIGXFSZ, and whoever started roar may ignore others; a helper must not.
_DEFAULT_SIGNALS = (
    *(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD),
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
)
# Ctrl-Z stops the command and then us. A child that is stopped between vfork and exec, still in the
# terminal's group, would keep us from stopping, and nobody would ever continue it.
_STOPS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


class Output(NamedTuple):
    """How a helper ended.

    `status` is its exit code, minus the signal that killed it, or None when it was ended here:
    `cut` says then why, `"time"` or `"size"`.
    """

    status: int | None
    out: bytes
    err: bytes
    cut: str = ""

    @property
    def ok(self) -> bool:
        return self.status == 0

    @property
    def complaint(self) -> str:
        """The first line of standard error, for a sentence; control characters are taken out."""
        lines = self.err.decode(errors="replace").strip().splitlines()
        return "".join(c for c in lines[0] if c.isprintable()) if lines else ""


class Helper:
    """A helper program that was started and whose output was not yet taken."""

    def __init__(self, pid: int, out: int, err: int) -> None:
        self._pid = pid
        self._out = out
        self._err = err

    @classmethod
    def start(cls, argv: Sequence[str], extra: Mapping[str, str] | None = None) -> Helper:
        """Start `argv`, whose first word is an absolute path; `extra` is added to the environment.

        Raises OSError when the program cannot be executed.
        """
        ends: list[int] = []
        try:
            ends += os.pipe()
            ends += os.pipe()
            pid = os.posix_spawn(
                argv[0],
                list(argv),
                clean_environment(os.environ, extra or {}),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, ends[1], 1),
                    (os.POSIX_SPAWN_DUP2, ends[3], 2),
                ],
                setpgroup=0,
                setsigmask=_STOPS,
                setsigdef=_DEFAULT_SIGNALS,
            )
        except OSError:
            for end in ends:
                os.close(end)
            raise
        os.close(ends[1])
        os.close(ends[3])
        return cls(pid, ends[0], ends[2])

    def finish(self, timeout_s: float, max_bytes: int | None = None) -> Output:
        """Wait until the helper has ended, or end it: after `timeout_s`, or beyond `max_bytes`."""
        out, err, cut = _collect(self._pid, self._out, self._err, timeout_s, max_bytes)
        if cut:
            self._kill()
        return Output(None if cut else self._reap(), out, err, cut)

    def abandon(self) -> None:
        """End the helper and forget its output."""
        os.close(self._out)
        os.close(self._err)
        self._kill()

    def _kill(self) -> None:
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._reap()

    def _reap(self) -> int:
        try:
            _, status = os.waitpid(self._pid, 0)
        except ChildProcessError:
            # SIGCHLD was ignored by whoever started us, so the kernel has thrown the status away.
            return 0
        return os.waitstatus_to_exitcode(status)


def output_of(
    argv: Sequence[str],
    timeout_s: float,
    extra: Mapping[str, str] | None = None,
    max_bytes: int | None = None,
) -> Output:
    """Run `argv` to its end; see `Helper`. Raises OSError when it cannot be executed."""
    return Helper.start(argv, extra).finish(timeout_s, max_bytes)


def program(name: str) -> str | None:
    """The absolute path of `name` on PATH, or None; the working directory is never searched."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = f"{folder}/{name}"
        if folder.startswith("/") and os.access(path, os.X_OK) and os.path.isfile(path):  # noqa: PTH113 - run start-up
            return path
    return None


def clean_environment(environ: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what changes a helper's behaviour or words, plus `extra`."""
    kept = {name: value for name, value in environ.items() if not name.startswith(_UNWANTED)}
    return {**kept, "LC_ALL": "C", **extra}


def _collect(
    pid: int, out: int, err: int, timeout_s: float, max_bytes: int | None
) -> tuple[bytes, bytes, str]:
    """Read both pipes until the helper has ended, and close them."""
    deadline = time.monotonic() + timeout_s
    parts: dict[int, list[bytes]] = {out: [], err: []}
    size = 0
    cut = ""
    poll = select.poll()
    waiting = {out, err}
    # A helper's own daemon may hold the pipes open for ever: its exit counts, not only end of file.
    exited = _pidfd(pid)
    if exited is not None:
        waiting.add(exited)
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    os.set_blocking(out, False)
    os.set_blocking(err, False)
    while waiting and not cut:
        ready = {fd for fd, _ in poll.poll(max(0, (deadline - time.monotonic()) * 1000))}
        for end in parts.keys() & (waiting if exited in ready else ready):
            chunk = _read(end)
            while chunk and not cut:
                parts[end].append(chunk)
                size += len(chunk)
                if max_bytes is not None and size > max_bytes:
                    cut = "size"
                elif time.monotonic() >= deadline:
                    cut = "time"
                chunk = _read(end)
            if chunk == b"":
                poll.unregister(end)
                waiting.discard(end)
        if exited in ready:
            break
        if time.monotonic() >= deadline:
            cut = cut or "time"
    for fd in (out, err):
        os.close(fd)
    if exited is not None:
        os.close(exited)
    return b"".join(parts[out]), b"".join(parts[err]), cut


def _read(end: int) -> bytes | None:
    """What the pipe holds, b"" at its end, None when there is nothing yet."""
    try:
        return os.read(end, _CHUNK)
    except BlockingIOError:
        return None


def _pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when `pid` has ended; None where the kernel has none."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
