"""`/usr/bin/python3 -I roard …`: load the programs, then serve without the compiler in memory.

    roard [--socket PATH] [--group NAME] [--ring-pages N] [--pid-file PATH] [--owner FD]

With --owner it ends when that descriptor and all runs have ended. It writes `ready` to descriptor
1 once it listens, or one line with the reason why not, and then ends with status 1.
"""

from __future__ import annotations

import argparse
import grp
import importlib
import json
import os
import signal
import socket
import sys
import types
from pathlib import Path

SOCKET = "/run/roar/roard.sock"


def main() -> int:
    """Run one of the two stages; the exit status."""
    # The modules around us, without the plugin's own: that one needs roar, which is not here.
    package = types.ModuleType("roar_tracer_ebpf")
    package.__path__ = [str(Path(__file__).resolve().parent.parent)]
    sys.modules[package.__name__] = package
    parser = argparse.ArgumentParser(prog="roard", description=__doc__)
    parser.add_argument("--socket", default=SOCKET)
    parser.add_argument("--group")
    parser.add_argument("--ring-pages", type=int, default=2048)
    parser.add_argument("--pid-file")
    parser.add_argument("--owner", type=int)
    parser.add_argument("--loaded", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        return _serve(options) if options.loaded else _load(options)
    except _Failure as failure:
        _say(f"roard: {failure}")
        return 1


class _Failure(Exception):
    """Why there is no service: one sentence."""


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _load(options: argparse.Namespace) -> int:
    if os.geteuid() != 0:
        raise _Failure("the collector needs root; start it with sudo")
    if options.ring_pages < 1 or options.ring_pages & (options.ring_pages - 1):
        raise _Failure("--ring-pages must be a power of two")
    peers = importlib.import_module("roar_tracer_ebpf.roard.peers")
    programs = importlib.import_module("roar_tracer_ebpf.roard.programs")
    group = None
    if options.group:
        try:
            group = grp.getgrnam(options.group).gr_gid
        except KeyError:
            raise _Failure(f"there is no group {options.group!r}") from None
    Path(options.socket).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        loaded = programs.load(options.ring_pages)
        server = peers.listen(options.socket, group)
    except programs.LoadError as error:
        raise _Failure(str(error)) from None
    except OSError as error:
        raise _Failure(f"cannot listen at {options.socket}: {error}") from None
    kept = [*loaded.maps.values(), *loaded.links, server.fileno()]
    if options.owner is not None:
        kept.append(options.owner)
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
    state = json.dumps(
        {
            "maps": loaded.maps,
            "server": server.fileno(),
            "reads": loaded.sees_reads,
            "writes": loaded.sees_writes,
        }
    )
    # The compiler has taken 100 MB that only an exec gives back; the descriptors go on.
    os.execv(  # noqa: S606
        sys.executable,
        [sys.executable, "-I", os.path.dirname(__file__), "--loaded", state, *sys.argv[1:]],  # noqa: PTH120
    )


def _serve(options: argparse.Namespace) -> int:
    service_module = importlib.import_module("roar_tracer_ebpf.roard.service")
    state = json.loads(options.loaded)
    service = service_module.Service(
        service_module.Options(
            server=socket.socket(fileno=state["server"]),
            maps=state["maps"],
            ring_pages=options.ring_pages,
            sees_reads=state["reads"],
            sees_writes=state["writes"],
            owner=options.owner,
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    if options.pid_file:
        Path(options.pid_file).write_text(f"{os.getpid()}\n")
    _say("ready")
    try:
        service.serve()
    finally:
        Path(options.socket).unlink(missing_ok=True)
        if options.pid_file:
            Path(options.pid_file).unlink(missing_ok=True)
    # The interpreter's own end takes longer than letting the kernel tidy up.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
