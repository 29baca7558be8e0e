"""A real HTTP server that answers every request with one fault of S3's."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attrs


@attrs.frozen
class Fault:
    """What is answered; `body` is a page where it begins with <html>, else the code of an error."""

    status: int
    body: str
    headers: Mapping[str, str] = {}
    detail: str = ""

    def text(self) -> str:
        if self.body.startswith("<html>"):
            return self.body
        return f"<Error><Code>{self.body}</Code><Message>Why not.</Message>{self.detail}</Error>"


@contextmanager
def faulty(fault: Fault) -> Iterator[tuple[str, list[str]]]:
    """Answer so until the block ends; yields the URL, and the requests that came."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *said: object) -> None:
            """Say nothing."""

        def answer(self) -> None:
            came.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = fault.text().encode() if self.command != "HEAD" else b""
            self.send_response(fault.status)
            for name, value in fault.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
