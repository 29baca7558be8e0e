"""A machine whose roar is free to count, and a real endpoint that answers as it is told."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core.testing.processes import wait_for

TIMEOUT_S = 60
ROAR = Path(sys.executable).parent / "roar"


@attrs.define
class Machine:
    """A user with a home, a project, and an environment in which nothing silences telemetry."""

    home: Path
    project: Path
    environ: dict[str, str]

    @property
    def folder(self) -> Path:
        return Path(self.environ["XDG_CACHE_HOME"], "roar", "telemetry")

    @property
    def stats(self) -> dict[str, Any]:
        return json.loads((self.folder / "stats.json").read_text())

    def queued(self) -> list[dict[str, Any]]:
        """The events of the queue, by their sequence."""
        found = [json.loads(path.read_bytes()) for path in self.folder.glob("queue/*.json")]
        return sorted(found, key=lambda event: event["sequence"])

    def triggers(self) -> list[str]:
        return [event["trigger"] for event in self.queued()]

    def roar(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a roar without a terminal."""
        return subprocess.run(
            [ROAR, *words],
            cwd=self.project,
            env=self.environ | environ,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )

    def ok(self, *words: str, **environ: str) -> str:
        """Run a roar that must succeed; returns its stdout."""
        result = self.roar(*words, **environ)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def at_a_terminal(self, *words: str) -> str:
        """Run a roar whose three streams are a terminal; returns what it showed."""
        main, side = pty.openpty()
        process = subprocess.Popen(
            [ROAR, *words], cwd=self.project, env=self.environ, stdin=side, stdout=side, stderr=side
        )
        os.close(side)
        shown = b""
        while True:
            try:
                piece = os.read(main, 4096)
            except OSError:  # EIO: the last process let go of the terminal
                break
            if not piece:
                break
            shown += piece
        os.close(main)
        process.wait(TIMEOUT_S)
        return shown.decode()

    def disclose(self) -> None:
        """See the line, so that from here on events may leave."""
        self.at_a_terminal("status")
        assert (self.folder / "disclosed").exists()

    def upload(self, **environ: str) -> None:
        """Run the uploader to its end, as a command would start it."""
        subprocess.run(
            [sys.executable, "-P", "-m", "roar_core.telemetry.uploader"],
            env=self.environ | environ,
            check=True,
            timeout=TIMEOUT_S,
        )


@attrs.define
class Endpoint:
    """An HTTP server on loopback. `answer` is a status, `hang`, `close` or a Location to go to."""

    url: str
    answer: int | str = 204
    received: list[tuple[Mapping[str, str], bytes]] = attrs.field(factory=list)
    connections: int = 0
    let_go: threading.Event = attrs.field(factory=threading.Event)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    environ = {
        "HOME": str(home),
        "PATH": f"{ROAR.parent}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
    }
    found = Machine(home, project, environ)
    found.ok("init", ROAR_NO_TELEMETRY="1")
    return found


@pytest.fixture
def new_endpoint() -> Iterator[Callable[[], Endpoint]]:
    servers = []

    def start() -> Endpoint:
        endpoint = Endpoint("")

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.connections += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.received.append((dict(self.headers), body))
                if endpoint.answer == "hang":
                    endpoint.let_go.wait(TIMEOUT_S)
                if endpoint.answer in ("hang", "close"):
                    self.connection.close()
                    return
                is_redirect = isinstance(endpoint.answer, str)
                self.send_response(307 if is_redirect else int(endpoint.answer))
                if is_redirect:
                    self.send_header("Location", str(endpoint.answer))
                if endpoint.answer != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.daemon_threads = False  # closing then waits for every connection to be let go
        endpoint.url = f"http://127.0.0.1:{server.server_port}/api/v1/telemetry/roar"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, endpoint, thread))
        return endpoint

    yield start
    for server, endpoint, thread in servers:
        endpoint.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def endpoint(machine: Machine, new_endpoint: Callable[[], Endpoint]) -> Endpoint:
    """The endpoint that the machine's telemetry is told to use."""
    found = new_endpoint()
    machine.ok("telemetry", "--endpoint", found.url)
    return found


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    return wait_for
