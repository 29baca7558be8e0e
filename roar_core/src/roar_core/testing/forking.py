"""A process that has imported a program, from which its commands are forked.

Each command is a process of its own, with its own variables, directory and files, and costs a fork
instead of an interpreter's start and all the imports: a tenth of the processor's time.
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

_ORDER_BYTES = 1 << 20

# Between the process that forks and a command is a keeper, which waits for it and reports. The
# files of an order are stdin, stdout, stderr, and where it is reported.
_FORKING = """
import gc, importlib, json, os, signal, socket, sys
ORDER_BYTES, FILES = 1 << 20, 4
modules, entry, door = json.loads(sys.argv[1]), sys.argv[2], socket.socket(fileno=int(sys.argv[3]))
for name in modules:
    importlib.import_module(name)
module, _, function = entry.partition(":")
call = getattr(importlib.import_module(module), function)
gc.freeze()

def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass

signal.signal(signal.SIGCHLD, reap)

def keep(order, files):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    door.close()
    report = files.pop()
    child = os.fork()
    if child:
        for file in files:
            os.close(file)
        os.write(report, b"%d\\n" % child)
        os.write(report, b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os._exit(0)
    os.close(report)
    for number, file in enumerate(files):
        os.dup2(file, number)
        if file > 2:
            os.close(file)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv[1:] = order["words"]
    sys.stdin = open(0, closefd=False)
    try:
        status = call()
    except SystemExit as leaving:
        status = leaving.code
    finally:
        sys.stdout.flush()
    os._exit(status or 0)

while True:
    order, files, _, _ = socket.recv_fds(door, ORDER_BYTES, FILES)
    if not order:
        break
    if not os.fork():
        keep(json.loads(order), files)
    for file in files:
        os.close(file)
"""


@attrs.define
class Forked:
    """A command that was begun; its end is to be waited for."""

    pid: int
    _report: io.FileIO

    def wait(self, timeout_s: float = 120) -> int:
        """How it ended; minus the signal's number where it was killed. Raises TimeoutError."""
        with self._report:
            if not select.select([self._report], [], [], timeout_s)[0]:
                raise TimeoutError(f"process {self.pid} did not end within {timeout_s} s")
            return int(self._report.readline())

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)


class Forking:
    """Forks commands of one program: `entry` is `module:function`, which reads sys.argv.

    `modules` are imported beforehand. `newest` is the command that was begun last. Close it in the
    end.
    """

    def __init__(self, entry: str, modules: Sequence[str] = ()) -> None:
        self.newest: Forked | None = None
        self._door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _ORDER_BYTES)
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _FORKING),
                    *(json.dumps(list(modules)), entry, str(theirs.fileno())),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )

    def start(
        self,
        words: Sequence[str],
        files: tuple[int, int, int],
        *,
        cwd: str | Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Forked:
        """Begin a command; `files` are its stdin, stdout and stderr, which stay the caller's."""
        order = {
            "words": [os.fspath(word) for word in words],
            "cwd": os.fspath(Path.cwd() if cwd is None else cwd),
            "environ": dict(os.environ if environ is None else environ),
        }
        report, theirs = os.pipe()
        try:
            socket.send_fds(self._door, [json.dumps(order).encode()], [*files, theirs])
        finally:
            os.close(theirs)
        stream = os.fdopen(report, "rb", buffering=0)
        # Unbuffered: what was read ahead nobody could wait for.
        self.newest = Forked(int(stream.readline()), stream)
        return self.newest

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: str | Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """A command to its end, with nothing to read."""
        with (
            Path(os.devnull).open() as nothing,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            files = (nothing.fileno(), out.fileno(), err.fileno())
            status = self.start(words, files, cwd=cwd, environ=environ).wait()
            told = []
            for stream in (out, err):
                stream.seek(0)
                told.append(stream.read().decode("utf-8", "surrogateescape"))
        return subprocess.CompletedProcess(list(words), status, *told)

    def close(self) -> None:
        """Let the process end."""
        self._door.close()
        self._process.wait()
