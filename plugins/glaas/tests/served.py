"""A server with settings of its own, whose stderr goes to a file, and requests kept waiting."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx


@attrs.define
class Served:
    """A server whose stderr goes to a file."""

    process: subprocess.Popen[bytes]
    url: str
    stderr: Path

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def lines(self) -> list[dict[str, Any]]:
        """The log's lines, once the server has stopped."""
        return [json.loads(line) for line in self.stderr.read_text().splitlines() if line[0] == "{"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def served(data: Path, toml: str = "", *options: str, **environ: str) -> Iterator[Served]:
    """`glaas serve` with a settings file, on a free port."""
    data.mkdir(exist_ok=True)
    (data / "glaas.toml").write_text(toml)
    file = data.parent / f"{data.name}.stderr"
    own = {key: value for key, value in os.environ.items() if not key.startswith("GLAAS_")}
    # A port of our own: with a public_url the server does not tell its port.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with file.open("wb") as stderr:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "roar_glaas.cli", "serve"),
                *("--port", port, "--data", data, *options),
            ],
            stderr=stderr,
            env=own | environ,
        )
    try:
        found = Served(process, f"http://127.0.0.1:{port}", file)
        for _ in range(3000):
            assert process.poll() is None, file.read_text()
            if "glaas: serving" in file.read_text():
                break
            time.sleep(0.01)
        yield found
    finally:
        process.terminate()
        process.wait(30)


BODY = json.dumps({"mode": "anonymous_public"}).encode()


@contextmanager
def begun(server: Served) -> Iterator[socket.socket]:
    """A request whose body has come half."""
    with socket.create_connection(server.address) as connection:
        connection.sendall(
            b"POST /api/v1/registration-sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY[:9]
        )
        yield connection


def in_the_end(ask: Any, status: int) -> httpx.Response:
    """An answer with this status, asked for until it comes."""
    for _ in range(3000):
        answer: httpx.Response = ask()
        if answer.status_code == status:
            return answer
    raise AssertionError(answer.text)
