"""A process that has imported a program, from which its commands are forked.

Each command is a process of its own, with its own variables, directory and files, and costs a fork
instead of an interpreter's start and all the imports: a tenth of the processor's time.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

_ORDER_BYTES = 1 << 20
# What an interpreter and its loader look at as they start, which a fork does no more.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG")
# What `roar` imports late, since it takes a while.
_FROM_OTHERS = ("httpx", "sqlite3", "tomllib", "blake3")

# Between the process that forks and a command is a keeper, which waits for it and reports. The
# files of an order are stdin, stdout, stderr, and where it is reported.
_FORKING = """
import gc, importlib, json, os, signal, socket, sys
ORDER_BYTES, FILES = 1 << 20, 4
door = socket.socket(fileno=int(sys.argv[1]))
program = json.loads(door.recv(ORDER_BYTES))
for name in program["modules"]:
    importlib.import_module(name)
module, _, function = program["entry"].partition(":")
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
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
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
                (sys.executable, "-c", _FORKING, str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        self._door.send(json.dumps({"modules": list(modules), "entry": entry}).encode())

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
        timeout_s: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """A command to its end, and that of all it has started; with nothing to read.

        After `timeout_s` it is killed and TimeoutError raised.
        """
        with ExitStack() as stack:
            nothing = stack.enter_context(Path(os.devnull).open())
            pipes = [os.pipe(), os.pipe()]
            streams = [stack.enter_context(os.fdopen(ours, "rb", 0)) for ours, _ in pipes]
            try:
                files = (nothing.fileno(), pipes[0][1], pipes[1][1])
                command = self.start(words, files, cwd=cwd, environ=environ)
            finally:
                for _, theirs in pipes:
                    os.close(theirs)
            ends_at_s = time.monotonic() + timeout_s
            try:
                told = _read_to_the_end(streams, ends_at_s)
                status = command.wait(max(0, ends_at_s - time.monotonic()))
            except TimeoutError:
                command.kill()
                command.wait()
                raise
        return subprocess.CompletedProcess(list(words), status, *told)

    def close(self) -> None:
        """Let the process end."""
        self._door.close()
        self._process.wait()


def new_forking_roar() -> Forking:
    """What commands of `roar` are forked from: all of roar-core is imported there."""
    modules = modules_of("roar_core", ("roar_core.__main__", "roar_core.testing"))
    return Forking("roar_core.__main__:main", [*_FROM_OTHERS, *modules])


def modules_of(package: str, without: tuple[str, ...] = ()) -> list[str]:
    """All modules below a package but those whose names begin so."""
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    return [module.name for module in found if not module.name.startswith(without)]


def same_start(environ: Mapping[str, str]) -> bool:
    """Whether an interpreter that is started with these variables would begin as one here does."""

    def seen(variables: Mapping[str, str]) -> dict[str, str]:
        return {
            name: value
            for name, value in variables.items()
            if name.startswith(_READ_AT_START) and name != "PYTHONPATH"
        }

    return seen(environ) == seen(os.environ)


def _read_to_the_end(streams: Sequence[io.FileIO], ends_at_s: float) -> list[str]:
    """What comes by each of some pipes until nobody can write any more. Raises TimeoutError."""
    told = [bytearray() for _ in streams]
    with selectors.DefaultSelector() as open_ones:
        for number, stream in enumerate(streams):
            open_ones.register(stream, selectors.EVENT_READ, told[number])
        while open_ones.get_map():
            ready = open_ones.select(max(0, ends_at_s - time.monotonic()))
            if not ready:
                raise TimeoutError("a command did not end in time")
            for key, _ in ready:
                if part := os.read(key.fd, 1 << 16):
                    key.data.extend(part)
                else:
                    open_ones.unregister(key.fileobj)
    return [text.decode("utf-8", "surrogateescape") for text in told]
