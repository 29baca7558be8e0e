"""HTTP's corners, between real sockets: what clients and stores may do besides the usual."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from certificates import certificate
from wire_ends import OK, Told, answers, asked, exchanged, served

from roar_proxy_s3.proxy.wire.outbound import BrokenOffError
from roar_proxy_s3.proxy.wire.pool import Connections, Origin, UnreachableError


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (OK, (200, b"ok")),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, (200, b"ok")),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", (200, b"until the end")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nin\r\n3\r\n 2x\r\n0\r\n\r\n",
            (200, b"in 2x"),
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"")),
    ],
)
def test_answers_are_told_apart_by_what_ends_them(raw: bytes, expected: tuple[int, bytes]) -> None:
    assert exchanged(answers(raw)) == [expected]


@pytest.mark.parametrize(
    "raw",
    [
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nX: " + bytes(1 << 18),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_no_whole_answer_is_none(raw: bytes) -> None:
    with pytest.raises(BrokenOffError):
        exchanged(answers(raw))


def test_a_kept_connection_that_was_closed_is_made_anew() -> None:
    assert exchanged(answers(OK), count=3) == [(200, b"ok")] * 3


def test_an_answer_before_the_body_is_sent_is_the_answer() -> None:
    early = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    assert exchanged(answers(early), body=True) == [(403, b"no")]


def through_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> tuple[tuple[int, bytes], list[bytes]]:
    """An answer that came through an HTTP proxy, and what that was asked for."""
    seen: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        if not head.startswith(b"CONNECT"):
            writer.write(OK)
            return
        port = int(head.split()[1].rpartition(b":")[2])
        behind, onward = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while piece := await source.read(65536):
                    target.write(piece)
            target.close()

        await asyncio.gather(pump(reader, onward), pump(behind, writer))
        with suppress(OSError):
            await onward.wait_closed()

    async def all_of_it() -> tuple[int, bytes]:
        own, key = certificate(tmp_path)
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(own, key)
        secure = trust if scheme == "https" else None
        async with (
            served(answers(OK), ssl=secure) as store,
            served(tunnel) as proxy,
        ):
            monkeypatch.setenv(f"{scheme}_proxy", f"http://us%65r:secret@127.0.0.1:{proxy}")
            monkeypatch.setenv("no_proxy", "")
            connections, told = Connections(str(own)), Told()
            origin = Origin(scheme, f"127.0.0.1:{store}")
            await connections.exchange(origin, "GET", "/a%20b", [("Host", "store")], None, told)
            connections.close()
        return told.status, told.body

    return asyncio.run(all_of_it()), seen


@pytest.mark.parametrize(("scheme", "line"), [("http", b"GET http://"), ("https", b"CONNECT ")])
def test_the_user_s_http_proxy_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, line: bytes
) -> None:
    answer, [asked] = through_proxy(tmp_path, monkeypatch, scheme)
    assert answer == (200, b"ok")
    assert asked.startswith(line)
    assert b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n" in asked


def test_who_is_not_there_is_named() -> None:
    async def ask() -> None:
        connections = Connections(None)
        await connections.exchange(Origin("http", "127.0.0.1:1"), "GET", "/", [], None, Told())

    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        asyncio.run(ask())


def test_requests_that_are_sent_ahead_are_answered_in_turn() -> None:
    put = b"PUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    chunked = (
        b"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmore\r\n0\r\n\r\n"
    )
    raw = b"".join(put % number for number in range(40)) + chunked
    found = asked(raw[:50], raw[50:77], raw[77:])
    bodies = [b"/%dbody" % number for number in range(40)] + [b"/cmore"]
    assert found == b"".join(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies
    )


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"no HTTP\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 18), b"431"),
    ],
)
def test_what_is_no_request_is_refused(raw: bytes, status: bytes) -> None:
    assert asked(raw).split()[1] == status
