"""What stands between a client and a registry: it counts requests, kills clients, hides features.

And a process that has everything imported, from which clients are forked: a client costs little.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import attrs
from machines import Ended, Machine


@attrs.define
class Between:
    """A proxy: `requests` are the calls that came by.

    Before request number `kill_at` (from 1) is answered, `victim` is killed: the registry has it
    then, and the client does not know. Bodies of more than `most_bytes` are refused. `hidden` are
    features that `/health` does not tell, and where `missing` is part of a path there is nothing.
    """

    url: str = ""
    kill_at: int = 0
    victim: Callable[[], None] = lambda: None
    hidden: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    most_bytes: int = 1 << 30
    requests: list[str] = attrs.field(factory=list)


@contextmanager
def standing_between(registry_url: str) -> Iterator[Between]:
    """A proxy in front of a registry, until the block ends."""
    between = Between()
    host = urlsplit(registry_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            between.requests.append(f"{self.command} {self.path.removeprefix('/api/v1/')}")
            number = len(between.requests)
            if any(part in self.path for part in between.missing):
                self._answer(404, "application/json", b'{"message": "Cannot find this"}')
                return
            if len(body) > between.most_bytes:
                self._answer(413, "application/json", b'{"detail": "too large"}')
                return
            connection = http.client.HTTPConnection(host, timeout=30)
            try:
                headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
                connection.request(self.command, self.path, body or None, headers)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            if number == between.kill_at:
                between.victim()
                self.close_connection = True
                return
            if self.path.endswith("/health"):
                told = json.loads(content)
                for name in between.hidden:
                    told["features"]["registration_sessions"].pop(name)
                content = json.dumps(told).encode()
            self._answer(answer.status, answer.headers.get("Content-Type", ""), content)

        def _answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    between.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield between
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_FORKING = """
import json, os, sys
import httpx
import roar_core.cli.register, roar_core.cli.register_view
import roar_core.registry.publishing.registering, roar_core.registry.log.proving
from roar_core.cli.main import run_command_line
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["environ"])
        for number, name in ((1, order["out"]), (2, order["err"])):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        status = run_command_line(order["words"])
        sys.stdout.flush()
        os._exit(status)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Clients:
    """Forks clients, one at a time; `kill` ends the one that runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._child = 0

    def roar(self, machine: Machine, *words: str) -> Ended:
        """As `Machine.roar`; the exit code of a client that was killed is -9."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        out, err = self._folder / "out", self._folder / "err"
        order = {
            "words": words,
            "cwd": str(machine.project),
            "environ": machine.environment(),
            "out": str(out),
            "err": str(err),
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._child = int(self._process.stdout.readline())
        status = int(self._process.stdout.readline())
        return Ended(status, out.read_text(), err.read_text())

    def kill(self) -> None:
        os.kill(self._child, signal.SIGKILL)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
