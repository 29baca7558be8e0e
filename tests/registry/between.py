"""What stands between a client and a registry: counts requests, kills clients, hides features."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import attrs


@attrs.frozen
class Instead:
    """What is answered in a registry's place; status 0: nothing, the connection is closed.

    With `is_held` it is kept open instead, until whoever asked has given up.
    """

    status: int
    kind: str = "application/json"
    content: bytes = b'{"detail": "no"}'
    retry_after: str = ""
    is_held: bool = False


@attrs.define
class Between:
    """A proxy: `requests` are the calls that came by.

    Before request number `kill_at` (from 1) is answered, `victim` is killed: the registry has it
    then, and the client does not know. Bodies of more than `most_bytes` are refused. `hidden` are
    features that `/health` does not tell, and where `missing` is part of a path there is nothing.
    Calls after number `refuse_after` are refused. Where there is an `instead`, all but `/health`
    are answered with it, of which `instead_of` is in the path. `hides_labels`: `/health` does not
    tell what it can do about labels.
    """

    url: str = ""
    kill_at: int = 0
    victim: Callable[[], None] = lambda: None
    hidden: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    most_bytes: int = 1 << 30
    refuse_after: int = 1 << 30
    instead: Instead | None = None
    instead_of: str = ""
    hides_labels: bool = False
    requests: list[str] = attrs.field(factory=list)
    _open: int = 0
    _changed: threading.Condition = attrs.field(factory=threading.Condition)

    def count(self, more: int) -> None:
        """A client has come, or gone."""
        with self._changed:
            self._open += more
            self._changed.notify_all()

    def wait_until_left(self) -> None:
        """Until no client is connected any more; those whose commands have ended soon are not."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._open == 0, timeout=60)


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
            is_instead = between.instead_of in self.path and not self.path.endswith("/health")
            if between.instead is not None and is_instead:
                self._answer_instead(between.instead)
                return
            if number > between.refuse_after:
                self.send_error(403)
                return
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
                if between.hides_labels:
                    del told["features"]["labels"]
                content = json.dumps(told).encode()
            self._answer(answer.status, answer.headers.get("Content-Type", ""), content)

        def _answer_instead(self, told: Instead) -> None:
            if told.status:
                self._answer(told.status, told.kind, told.content, told.retry_after)
            elif told.is_held:
                self.rfile.read(1)
            self.close_connection = True

        def _answer(self, status: int, kind: str, content: bytes, retry_after: str = "") -> None:
            self.send_response(status)
            if between.instead is not None:
                self.send_header("Connection", "close")
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def process_request(self, request: Any, client_address: Any) -> None:
            between.count(1)
            super().process_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            super().shutdown_request(request)
            between.count(-1)

    server = Server(("127.0.0.1", 0), Handler)
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
