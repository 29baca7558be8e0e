"""A web server on loopback that gives what it is told to, and fails as it is told to.

For the tests of whatever fetches: real sockets, ranges and versions, and every way in which a
server can end in the middle.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import attrs

_PIECE = 256 << 10


@attrs.define
class WebObject:
    """What is at a path. `etag` None: made of the content; empty: none is told."""

    content: bytes
    etag: str | None = None
    headers: dict[str, str] = attrs.field(factory=dict)
    ranges: bool = True
    told_etag: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        made = f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'
        self.told_etag = made if self.etag is None else self.etag


@attrs.define
class Fault:
    """What goes wrong with one answer, once.

    `status` is answered instead; `cut_after` bytes of the body the connection ends; `length` is
    told instead of the body's own; `hold_after` bytes the server waits until `WebServer.go_on`.
    """

    status: int = 0
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    length: int | None = None
    hold_after: int | None = None


class WebServer(ThreadingHTTPServer):
    """Objects by path; `faults` are taken from the front, one for each request of that path.

    `asked` lists (path, Range header) of every request.
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, WebObject] = {}
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.asked: list[tuple[str, str]] = []
        self.headers_asked: list[dict[str, str]] = []
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.lock = threading.Lock()
        self._connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def give(self, path: str, content: bytes, **more: Any) -> str:
        """Have an object at a path; its URL."""
        self.objects[path] = WebObject(content, **more)
        return self.url + path

    def fail(self, path: str, **fault: Any) -> None:
        """Have the next request of a path that has no fault yet go wrong."""
        self.faults[path].append(Fault(**fault))

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer on one connection, and know that it is there."""
        with self.lock:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.lock:
                self._connections.discard(request)

    def hang_up(self) -> None:
        """End every connection: a client may keep an idle one for as long as it likes."""
        with self.lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A server that listens as long as the block lasts."""
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()
            server.hang_up()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer
    # A server that answers in two packets waits 40 ms for the first one's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        asked = self.headers.get("Range", "")
        with self.server.lock:
            self.server.asked.append((path, asked))
            self.server.headers_asked.append(dict(self.headers))
            waiting = self.server.faults.get(path)
            fault = waiting.popleft() if waiting else Fault()
        if fault.status:
            self._answer(fault.status, fault.headers, fault.body, fault)
            return
        found = self.server.objects.get(path)
        if found is None:
            self._answer(404, {}, b"<html>nothing here</html>", fault)
            return
        headers = dict(found.headers)
        if found.told_etag:
            headers["ETag"] = found.told_etag
        body: bytes | memoryview = found.content
        status = 200
        given = self.headers.get("If-Range")
        is_same = given is None or given in (found.told_etag, headers.get("Last-Modified"))
        if found.ranges and asked.startswith("bytes=") and is_same:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(body)), len(body) - 1)
            if start >= len(body):
                headers["Content-Range"] = f"bytes */{len(body)}"
                self._answer(416, headers, b"", fault)
                return
            headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
            body, status = memoryview(body)[start : end + 1], 206
        self._answer(status, headers, body, fault)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes | memoryview, fault: Fault
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        length = len(body) if fault.length is None else fault.length
        if "Transfer-Encoding" not in headers:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        end = len(body) if fault.cut_after is None else fault.cut_after
        for start in range(0, end, _PIECE):
            if fault.hold_after is not None and start >= fault.hold_after:
                self.wfile.flush()
                self.server.held.set()
                self.server.go_on.wait()
            self.wfile.write(body[start : min(start + _PIECE, end)])
        self.wfile.flush()
        if end < length:
            self.close_connection = True
