"""A person in front of the registry's pages, over HTTP: keeps cookies, fills in forms."""

from __future__ import annotations

import html
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import attrs
import httpx

from roar_glaas.access import web_sessions
from roar_glaas.access.passwords import hash_password
from roar_glaas.access.people import Person, add_person
from roar_glaas.storage.database import Database, open_database, sqlite_address

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

PASSWORD = "correct horse battery"


@attrs.define
class Visitor:
    """A browser without a screen."""

    client: httpx.Client
    origin: str

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def post(
        self, path: str, fields: dict[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form as a page of the registry does, with the proof that /projects' page has."""
        token = self.form_token()
        body = ({"form_token": token} if token else {}) | (fields or {})
        return self.raw_post(path, body, {"Origin": self.origin} | headers)

    def raw_post(
        self, path: str, fields: dict[str, str], headers: dict[str, str]
    ) -> httpx.Response:
        return self.client.post(path, data=fields, headers=headers)

    def form_token(self) -> str:
        answer = self.client.get("/account")
        found = re.search(r'name="form_token" value="([0-9a-f]{64})"', answer.text)
        return found[1] if found else ""

    def sign_in(self, name: str, password: str = PASSWORD, where: str = "/") -> httpx.Response:
        fields = {"name": name, "password": password, "next": where}
        return self.raw_post("/sign-in", fields, {"Origin": self.origin})


def visitor(registry: Registry | Server) -> Visitor:
    """Somebody who is not signed in."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return Visitor(httpx.Client(base_url=registry.url, timeout=30, limits=limits), registry.url)


@cache
def password_hash() -> str:
    """The hash of the password of all tests, made once: it is meant to cost something."""
    return hash_password(PASSWORD)


def somebody(registry: Registry | Server, **more: object) -> Person:
    """A new account with the password of all tests."""
    values = {"password_hash": password_hash()} | more
    with registry.database() as database, database.write() as connection:
        return add_person(connection, f"p{uuid4().hex[:12]}", **values)  # type: ignore[arg-type]


def signed_in(registry: Registry | Server, person: Person | None = None) -> Visitor:
    """Somebody who signed in before; with a new account unless named."""
    found, owner_id = visitor(registry), (person or somebody(registry)).id
    with registry.database() as database, database.write() as connection:
        secret = web_sessions.begin(connection, owner_id, browser="a test", address="127.0.0.1")
    found.client.cookies.set("glaas_session", secret, domain="127.0.0.1")
    return found


def text_of(answer: httpx.Response) -> str:
    """What a page says."""
    return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))


@attrs.define
class Server:
    """A server set up by its glaas.toml, on SQLite."""

    url: str
    data: Path

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Its database, open beside the server."""
        database = open_database(sqlite_address(self.data / "glaas.db"))
        try:
            yield database
        finally:
            database.dispose()

    @property
    def log(self) -> str:
        """What it wrote to its standard error so far."""
        return (self.data / "log").read_text(encoding="utf-8")


@contextmanager
def server(data: Path, settings: str, port: int = 0, **environ: str) -> Iterator[Server]:
    """`glaas serve` with these settings until the block ends, on a port that is free."""
    (data / "glaas.toml").write_text(settings, encoding="utf-8")
    port = port or free_port()
    command = [sys.executable, "-m", "roar_glaas.cli", "serve", "--data", data, "--port", str(port)]
    with (data / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stderr=log, env={**os.environ, **environ})
    found = Server(f"http://127.0.0.1:{port}", data)
    try:
        while "serving" not in found.log:
            assert process.poll() is None, found.log
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert "Traceback" not in found.log


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
