"""Whatever a server, or a proxy before it, does: one sentence, and no more asking than helps."""

from __future__ import annotations

import gzip
import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest

from roar_core.errors import (
    ConflictError,
    NotFoundError,
    RegistryError,
    RoarError,
    UnauthorisedError,
    UnreachableError,
)
from roar_core.registry import connection as connections
from roar_core.registry.address import Address
from roar_core.registry.callers import TokenCaller
from roar_core.registry.connection import READ_S, Connection

TOKEN = "canary-not-a-real-token-0001"
Reply = tuple[int, dict[str, str], bytes] | None
"""What is answered; None hangs up without a word."""


def told(status: int, value: object = None, **headers: str) -> Reply:
    body = json.dumps({"ok": True} if value is None else value).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return status, {"Content-Type": "application/json"} | named, body


def page(status: int) -> Reply:
    return status, {"Content-Type": "text/html"}, b"<html>Sign in to this network</html>"


@attrs.define
class Faulty:
    """A server that gives these answers one after the other, the last one again and again."""

    url: str
    replies: list[Reply] = attrs.field(factory=lambda: [told(200)])
    requests: list[tuple[str, str, dict[str, str], bytes]] = attrs.field(factory=list)

    @property
    def shown(self) -> list[str | None]:
        """The credentials that came."""
        return [headers.get("authorization") for _, _, headers, _ in self.requests]


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append((self.command, self.path, headers, body))
            reply = server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
            self.close_connection = True
            if reply is None:
                return
            status, named, content = reply
            self.send_response(status)
            own = {"Content-Length": str(len(content)), "Connection": "close"}
            for name, text in (named | own).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = False
    server = Faulty(f"http://127.0.0.1:{listening.server_address[1]}")
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    listening.shutdown()
    thread.join()
    listening.server_close()


@attrs.define
class Asking:
    """A connection, what it warned of and how long it would have waited."""

    connection: Connection
    warnings: list[str]
    waits: list[float]


@pytest.fixture
def asking(faulty: Faulty) -> Iterator[Callable[..., Asking]]:
    opened: list[Connection] = []

    def ask(url: str = "", token: str = "", attempts: int = 4, read_s: float = READ_S) -> Asking:
        warnings: list[str] = []
        waits: list[float] = []
        caller = TokenCaller(token) if token else None
        address = Address(url or faulty.url, True, True)
        found = Connection(
            address,
            caller,
            attempts=attempts,
            warn=warnings.append,
            pause=waits.append,
            read_s=read_s,
        )
        opened.append(found)
        return Asking(found, warnings, waits)

    yield ask
    for each in opened:
        each.close()


def test_an_answer_is_its_value_in_an_envelope_or_bare(
    faulty: Faulty, asking: Callable[..., Asking]
) -> None:
    faulty.replies = [
        told(200, {"success": True, "data": [1]}),
        told(201, {"x": 2}),
        (204, {}, b""),
    ]
    connection = asking().connection
    assert connection.get("/a", {"q": "b c&d"}) == [1]
    assert connection.post("b", {"ü": None}) == {"x": 2}
    assert connection.post("c") == {}
    assert [path for _, path, _, _ in faulty.requests] == [
        *("/api/v1/a?q=b+c%26d", "/api/v1/b", "/api/v1/c")
    ]
    (_, _, first, _), (_, _, second, body), (_, _, third, nothing) = faulty.requests
    assert json.loads(body) == {"ü": None}
    assert second["content-type"] == "application/json"
    assert ("content-type" not in first, "content-type" not in third, nothing) == (True, True, b"")
    assert first["x-roar-version"]


@pytest.mark.parametrize(
    ("reply", "kind", "sentence", "asked"),
    [
        (told(400, {"detail": "No such field."}), RegistryError, "refused this (HTTP 400): No", 1),
        (told(401, {"detail": "unknown"}), UnauthorisedError, "does not know who asks: unknown", 1),
        (told(403, {"message": "no"}), UnauthorisedError, "does not allow this: no", 1),
        (told(404, {"error": {"message": "gone"}}), NotFoundError, "has no such thing: gone", 1),
        (told(409, {"detail": "other"}), ConflictError, "has something else already: other", 1),
        (told(413, {}), RegistryError, "takes nothing this large", 1),
        (told(429, {}, Retry_After="7"), RegistryError, "too often; try in 7 s", 4),
        (told(429, {}, Retry_After="900"), RegistryError, "too often; try in 900 s", 1),
        (told(429, {}, Retry_After="soon"), RegistryError, "too often; try later", 4),
        (told(500, {"detail": "oops"}), RegistryError, "failed (HTTP 500): oops; try later", 2),
        (told(502, {}), RegistryError, "failed (HTTP 502); try later", 4),
        ((503, {}, b"over capacity\n"), RegistryError, "(HTTP 503): over capacity; try later", 4),
        (told(504, []), RegistryError, "failed (HTTP 504); try later", 4),
        (page(200), UnreachableError, "answered with a web page (HTTP 200)", 1),
        (page(403), UnreachableError, "answered with a web page (HTTP 403)", 1),
        (page(404), UnreachableError, "answered with a web page (HTTP 404)", 1),
        ((200, {}, b'{"cut'), UnreachableError, "gave an answer that is no JSON (HTTP 200)", 1),
        ((200, {}, b"[" * 99999), UnreachableError, "gave an answer that is no JSON", 1),
        (
            told(302, Location="https://x.test/"),
            UnreachableError,
            "elsewhere to https://x.test/",
            1,
        ),
        (None, UnreachableError, "cannot be reached: server disconnected", 4),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_refusal_or_failure_is_one_sentence(
    faulty: Faulty,
    asking: Callable[..., Asking],
    reply: Reply,
    kind: type[RoarError],
    sentence: str,
    asked: int,
    method: str,
) -> None:
    faulty.replies = [reply]
    found = asking()
    with pytest.raises(kind) as caught:
        getattr(found.connection, method)("x")
    message = str(caught.value)
    assert (message.startswith(faulty.url), sentence in message) == (True, True), message
    assert ("\n" in message, message.endswith("."), len(message) < 500) == (False, False, True)
    assert (len(faulty.requests), len(found.waits)) == (asked, asked - 1)
    assert isinstance(caught.value, RegistryError)
    assert caught.value.status == (None if reply is None else reply[0])


def test_it_goes_on_as_soon_as_a_registry_does(
    faulty: Faulty, asking: Callable[..., Asking]
) -> None:
    faulty.replies = [None, told(500), told(503, {}, Retry_After="2"), told(200)]
    found = asking()
    assert found.connection.post("x", {"a": 1}) == {"ok": True}
    assert len({(method, path, body) for method, path, _, body in faulty.requests}) == 1
    first, second, third = found.waits
    assert (0.125 <= first <= 0.25, 0.25 <= second <= 0.5, 2.5 <= third <= 3) == (True,) * 3


def test_a_long_wait_is_told(faulty: Faulty, asking: Callable[..., Asking]) -> None:
    faulty.replies = [told(429, {}, Retry_After="20"), told(200)]
    found = asking()
    found.connection.get("x")
    assert found.warnings == [f"{faulty.url} asks to wait; going on in 21 s"]


def test_nobody_there_and_nobody_answering_are_told_apart(
    faulty: Faulty, asking: Callable[..., Asking]
) -> None:
    with pytest.raises(UnreachableError, match="cannot be reached: connection refused; try later"):
        asking("http://127.0.0.1:1").connection.get("x")
    late = threading.Event()

    class Late(list[Reply]):
        def __getitem__(self, index: Any) -> Any:
            late.wait(10)
            return super().__getitem__(index)

    faulty.replies = Late([told(200)])
    try:
        with pytest.raises(UnreachableError, match="does not answer in time"):
            asking(attempts=2, read_s=0.05).connection.get("x")
    finally:
        late.set()
    assert len(faulty.requests) == 2


def test_an_endless_answer_is_cut(
    faulty: Faulty, asking: Callable[..., Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_MOST_BYTES", 1 << 20)
    faulty.replies = [(200, {}, b"1" * (1 << 20) + b"1")]
    with pytest.raises(UnreachableError, match="more than 1 MiB"):
        asking().connection.get("x")
    packed = gzip.compress(bytes(2 << 20))
    faulty.replies = [(200, {"Content-Encoding": "gzip"}, packed)]
    with pytest.raises(UnreachableError, match="more than 1 MiB"):
        asking().connection.get("x")
    faulty.replies = [(200, {"Content-Encoding": "gzip, gzip"}, gzip.compress(packed))]
    with pytest.raises(UnreachableError, match="nobody asked for"):
        asking().connection.get("x")


def test_an_answer_that_drips_is_given_up(
    faulty: Faulty, asking: Callable[..., Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_PATIENCE_S", -1.0)
    faulty.replies = [told(200)]
    with pytest.raises(UnreachableError, match="a few bytes at a time"):
        asking().connection.get("x")


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".test"])
def test_a_host_that_no_name_can_have_is_a_sentence(
    asking: Callable[..., Asking], host: str
) -> None:
    with pytest.raises(UnreachableError, match="no address that can be asked"):
        asking(f"http://{host}").connection.get("x")


def test_a_refused_token_does_not_keep_from_public_reads(
    faulty: Faulty, asking: Callable[..., Asking]
) -> None:
    faulty.replies = [told(401, {"detail": f"unknown: {TOKEN}"}), told(200), told(200)]
    found = asking(token=TOKEN)
    assert [found.connection.get("x"), found.connection.get("y")] == [{"ok": True}] * 2
    assert faulty.shown == [f"Bearer {TOKEN}", None, None]
    (warning,) = found.warnings
    assert ("asked without a name" in warning, TOKEN in warning) == (True, False)


def test_a_refused_token_is_never_left_out_of_what_changes_something(
    faulty: Faulty, asking: Callable[..., Asking]
) -> None:
    faulty.replies = [told(401, {"detail": f"unknown: {TOKEN}"})]
    connection = asking(token=TOKEN).connection
    with pytest.raises(UnauthorisedError, match="ROAR_TOKEN must hold") as caught:
        connection.post("x", {})
    assert TOKEN not in str(caught.value)
    with pytest.raises(UnauthorisedError):
        connection.get_as_caller("auth/me")
    assert faulty.shown == [f"Bearer {TOKEN}"] * 2


def test_as_nobody_it_shows_nothing(faulty: Faulty, asking: Callable[..., Asking]) -> None:
    with asking(token=TOKEN).connection.as_nobody() as connection:
        connection.get("x")
        connection.post("x", {}, token="of one registration")
    assert faulty.shown == [None, "RegistrationSession of one registration"]


def test_a_redirect_takes_no_token_along(faulty: Faulty, asking: Callable[..., Asking]) -> None:
    faulty.replies = [told(307, Location=f"{faulty.url}/elsewhere"), told(200)]
    with pytest.raises(UnreachableError):
        asking(token=TOKEN).connection.post("x", {})
    assert len(faulty.requests) == 1


def test_what_is_logged_holds_no_token(
    faulty: Faulty, asking: Callable[..., Asking], caplog: pytest.LogCaptureFixture
) -> None:
    faulty.replies = [told(500), told(401)]
    with caplog.at_level(logging.DEBUG), pytest.raises(UnauthorisedError):
        asking(token=TOKEN).connection.post("x", {"refresh_token": TOKEN})
    assert caplog.text
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(TokenCaller(TOKEN))


def test_a_hostile_sentence_is_cut_and_masked(
    faulty: Faulty, asking: Callable[..., Asking]
) -> None:
    secret = "ghp_" + "a1B2" * 9
    faulty.replies = [told(400, {"detail": f"{secret}\n\x1b[31m" + "x" * 9999, "error": "e" * 999})]
    with pytest.raises(RegistryError) as caught:
        asking().connection.get("x")
    assert (secret in str(caught.value), len(str(caught.value)) < 400) == (False, True)
    assert len(caught.value.code) == 64


def test_without_tls_no_list_of_authorities_is_read(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as long as the rest of a request to a registry on this machine."""
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: pytest.fail("was read"))
    with Connection(Address(faulty.url, True, True)) as connection:
        assert connection.get("health") == {"ok": True}
