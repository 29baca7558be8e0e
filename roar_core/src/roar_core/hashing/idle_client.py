"""Roar's end of the idle process: starting it, asking it, ending it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from roar_core.hashing.digests import Digested
from roar_core.hashing.idle import ANSWER, DIGEST_BYTES, REQUEST
from roar_core.model.fingerprint import Fingerprint

# As in environment/output_of.py: stopped between vfork and exec it would keep us from stopping.
_STOPS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)

# path_resolution(7): Linux opens no longer path. A window of requests then always fits into a pipe
# (64 KiB), so asking never blocks.
PATH_BYTES_MAX = 4096
WINDOW = 12

# -I and -S: nothing of the user's site or environment is imported, and starting takes 8 ms.
_PROGRAM = """\
import sys
sys.path += sys.argv[1:]
from roar_core.hashing.idle import serve
serve({algorithms})
"""


class Answer(NamedTuple):
    """The version asked about, and its digests or None."""

    asked: Fingerprint
    digested: Digested | None


class IdleProcess:
    """The running process; raises OSError when it cannot be started."""

    def __init__(self, algorithms: tuple[str, ...]) -> None:
        self._algorithms = algorithms
        self._answer_bytes = ANSWER.size + sum(DIGEST_BYTES[name] for name in algorithms)
        self._asked: dict[int, Fingerprint] = {}
        self._ticket = 0
        self._unread = b""
        self._is_reaped = False
        its_requests, self._requests = os.pipe()
        self.answers, its_answers = os.pipe()
        try:
            self.pid = _spawn(its_requests, its_answers, algorithms)
        except OSError:
            os.close(self._requests)
            os.close(self.answers)
            raise
        finally:
            os.close(its_requests)
            os.close(its_answers)

    @property
    def has_room(self) -> bool:
        """Whether it may be asked without waiting."""
        return len(self._asked) < WINDOW

    def ask(self, path: str, fingerprint: Fingerprint) -> None:
        """Ask for that version's digests; raises BrokenPipeError when the process is gone."""
        raw_path = os.fsencode(path)
        self._ticket = (self._ticket + 1) & 0xFFFFFFFF
        self._asked[self._ticket] = fingerprint
        request = REQUEST.pack(self._ticket, *fingerprint, len(raw_path)) + raw_path
        os.write(self._requests, request)

    def take_answers(self) -> list[Answer]:
        """What has come back; waits if nothing has. Raises EOFError when the process is gone."""
        data = os.read(self.answers, 65536)
        if not data:
            raise EOFError
        data = self._unread + data
        whole = len(data) - len(data) % self._answer_bytes
        self._unread = data[whole:]
        step = self._answer_bytes
        return [self._decode(data[start : start + step]) for start in range(0, whole, step)]

    def unanswered(self) -> list[Fingerprint]:
        """The versions asked for and not answered yet."""
        return list(self._asked.values())

    def kill(self) -> None:
        """Close both pipes and kill it, whatever it is reading; returns at once."""
        os.close(self._requests)
        os.close(self.answers)
        self._wait(os.WNOHANG)
        if not self._is_reaped:
            os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Wait for the end of a process that was killed: long, where no core is ever idle."""
        if not self._is_reaped:
            self._wait(0)

    def _wait(self, options: int) -> None:
        try:
            self._is_reaped = os.waitpid(self.pid, options)[0] != 0
        except ChildProcessError:
            # Reaped by a wait for any child; its number may be another process's by now.
            self._is_reaped = True

    def _decode(self, data: bytes) -> Answer:
        ticket, found, read_at_ns = ANSWER.unpack_from(data)
        asked = self._asked.pop(ticket)
        if not found:
            return Answer(asked, None)
        digests: dict[str, str] = {}
        start = ANSWER.size
        for name in self._algorithms:
            digests[name] = data[start : start + DIGEST_BYTES[name]].hex()
            start += DIGEST_BYTES[name]
        return Answer(asked, Digested(asked, digests, read_at_ns))


def _spawn(requests: int, answers: int, algorithms: tuple[str, ...]) -> int:
    import blake3

    import roar_core

    packages = [str(Path(str(module.__file__)).parents[1]) for module in (roar_core, blake3)]
    program = _PROGRAM.format(algorithms=algorithms)
    argv = [sys.executable, "-I", "-S", "-c", program, *packages]
    return os.posix_spawn(
        sys.executable,
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, requests, 0),
            (os.POSIX_SPAWN_DUP2, answers, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
        # Out of the terminal's foreground group: Ctrl-C is for the command. Not a session of its
        # own: autogrouping (sched(7)) would weigh that like everything else here together.
        setpgroup=0,
        setsigmask=_STOPS,
        setsigdef=(signal.SIGTERM, signal.SIGHUP),
    )
