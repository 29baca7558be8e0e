"""A storage proxy for a plain HTTP store: small, but whole. Also the process that it starts.

A store is what `OBJECT_STORE` names; an object is read by GET and written by PUT.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from blake3 import blake3

from roar_core.hookspecs import PluginConfig, RunContext, StorageProxy, hookimpl
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import ObservedObject

STORE = "OBJECT_STORE"
# To the proxy itself: answered when nothing else is under way.
DRAIN = "DRAIN"
_WATCH_S = 0.1


class LoopbackProxy:
    name = "loopback"

    def start(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        if STORE not in environ:
            return {}
        read_end, write_end = os.pipe()
        argv = [sys.executable, __file__, str(run.folder), environ[STORE]]
        with os.fdopen(read_end) as ready:
            streams = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, write_end, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ]
            try:
                os.posix_spawn(
                    sys.executable, argv, environ, file_actions=streams, setsigmask=(), setsid=True
                )
            finally:
                os.close(write_end)
            address = ready.readline().strip()
        if not address:
            raise OSError("the proxy's process did not start")
        return {STORE: f"http://{address}"}

    def objects(self, run: RunContext) -> Iterator[ObservedObject]:
        with suppress(OSError):
            connection = http.client.HTTPConnection((run.folder / "address").read_text())
            connection.request(DRAIN, "/")
            connection.getresponse().read()
            connection.close()
        seen = run.folder / "seen"
        lines = seen.read_text().splitlines() if seen.exists() else []
        for line in dict.fromkeys(lines):
            yield ObservedObject(**json.loads(line))

    def stop(self, run: RunContext) -> Sequence[CoverageReason]:
        address, process = run.folder / "address", run.folder / "process"
        if address.exists():
            pid = int(process.read_text())
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            # Its end of the pipe closes with it; a descriptor for it tells when.
            with suppress(OSError):
                descriptor = os.pidfd_open(pid)
                signal_end(descriptor)
            address.unlink()
        return ()


def signal_end(descriptor: int) -> None:
    """Wait until the process of a pidfd has ended (pidfd_open(2))."""
    import select

    select.select([descriptor], [], [])
    os.close(descriptor)


@hookimpl
def roar_storage_proxies(config: PluginConfig) -> list[StorageProxy]:
    return [LoopbackProxy()]


class Server(ThreadingHTTPServer):
    """Forwards to `store`; ends when the folder of its run is gone."""

    daemon_threads = True

    def __init__(self, folder: Path, store: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.store = store
        self.idle = threading.Condition()
        self.under_way = 0

    def service_actions(self) -> None:
        if not self.folder.exists():
            os._exit(0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._forward("input", b"")

    def do_PUT(self) -> None:
        self._forward("output", self.rfile.read(int(self.headers["Content-Length"])))

    def do_DRAIN(self) -> None:
        with self.server.idle:
            self.server.idle.wait_for(lambda: self.server.under_way == 0)
        self._answer(200, b"")

    def _forward(self, direction: str, body: bytes) -> None:
        with self.server.idle:
            self.server.under_way += 1
        try:
            upstream = http.client.HTTPConnection(urlsplit(self.server.store).netloc)
            upstream.request(self.command, self.path, body or None)
            response = upstream.getresponse()
            answer = response.read()
            upstream.close()
            if response.status == 200:
                self._note(direction, body if direction == "output" else answer)
            self._answer(response.status, answer)
        finally:
            with self.server.idle:
                self.server.under_way -= 1
                self.server.idle.notify_all()

    def _note(self, direction: str, content: bytes) -> None:
        seen = {
            "url": f"{self.server.store}{self.path}",
            "direction": direction,
            "size": len(content),
            "digests": {"blake3": blake3(content).hexdigest()},
        }
        with (self.server.folder / "seen").open("a") as target:
            target.write(json.dumps(seen) + "\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """The command's stderr is the command's."""


def serve(folder: Path, store: str) -> None:
    server = Server(folder, store)
    host, port = server.server_address[:2]
    (folder / "process").write_text(str(os.getpid()))
    (folder / "address").write_text(f"{host!s}:{port}")
    sys.stdout.write(f"{host!s}:{port}\n")
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    server.serve_forever(_WATCH_S)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
