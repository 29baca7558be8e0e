"""Clients and stores that behave badly at both ends of a proxy that runs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import proxies
import pytest
from proxies import Proxy
from s3_servers import S3Server
from test_proxy_faults import ON_RCLONE, Raw, answer, framed

from roar_proxy_s3.proxy import framing, signatures

MB = 1 << 20
Serve = Callable[[socket.socket], object]


@contextmanager
def before(server: S3Server, folder: Path, *serve: Serve) -> Iterator[Proxy]:
    """A proxy before a store whose connections are served so, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def all_of_them() -> None:
            for each in serve:
                with listening.accept()[0] as connection, suppress(ConnectionError):
                    each(connection)

        store = threading.Thread(target=all_of_them, daemon=True)
        store.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with proxies.started(folder, server, endpoint=url) as proxy:
            yield proxy
        store.join(timeout=60)


def head_of(connection: socket.socket) -> bytes:
    came = b""
    while b"\r\n\r\n" not in came:
        came += connection.recv(65536)
    return came


def no_body_read(connection: socket.socket) -> None:
    head_of(connection)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")


@pytest.mark.parametrize("size", [MB, 32 * MB])
def test_a_store_that_answers_before_the_body_and_closes(
    rclone: S3Server, tmp_path: Path, size: int
) -> None:
    """Its reset may come while the proxy still sends; what it answered was there before."""
    with before(rclone, tmp_path, *[no_body_read] * 5) as proxy:
        for _ in range(5):
            raw = Raw(proxy)
            with raw.connected() as connection:
                head = raw.head("PUT", "/bucket/k", signatures.UNSIGNED, content_length=str(size))
                with suppress(ConnectionError):
                    connection.sendall(head)
                    for _ in range(size // MB):
                        connection.sendall(bytes(MB))
                assert answer(connection) == (403, b"no")
        assert proxy.facts() == []


def slow_and_chatty(connection: socket.socket) -> None:
    head_of(connection)
    for piece in (
        *(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3, b"HTTP/1.1 200 O", b"K\r\nETag: "),
        *(b'"e"\r\nTransfer-Encoding: chunked\r\n\r\n1', b"0000;ext\r\n", bytes(65536)),
        *(b"\r\n3\r\nend\r\n0\r\nX-Trailer: 1", b"\r\n\r\n"),
    ):
        connection.sendall(piece)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_download_of_no_stated_length(rclone: S3Server, tmp_path: Path, version: str) -> None:
    with before(rclone, tmp_path, slow_and_chatty) as proxy:
        raw = Raw(proxy)
        head = raw.head("GET", "/bucket/key", signatures.EMPTY_SHA256)
        with raw.connected() as connection:
            connection.sendall(head.replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
            # Who has asked may close that way, and still read.
            connection.shutdown(socket.SHUT_WR)
            assert answer(connection) == (200, bytes(65536) + b"end")
        (fact,) = proxy.told("key")
    assert (fact["is_all"], fact["bytes"]) == (True, 65539)


@ON_RCLONE
@pytest.mark.parametrize("signature", [b"\xc3\xa9" * 32, b"\xff" * 64, b""])
def test_a_signature_may_be_any_bytes(proxy: Proxy, signature: bytes) -> None:
    raw = Raw(proxy)
    head = raw.head("GET", "/bucket/key", signatures.EMPTY_SHA256)
    with raw.connected() as connection:
        connection.sendall(head.replace(raw.signature.encode(), signature))
        assert answer(connection)[0] == 403


@ON_RCLONE
@pytest.mark.parametrize(
    ("of", "to", "status"),
    [
        (b"chunk-signature=", b"chunk-signature=\xff", 403),
        (b"5;", b"-5;", 400),
        (b"5;", b"0x5;", 400),
        (b"5;", b"5_0;", 400),
        (b"5;", b" 5;", 400),
        (b"5;", b"6;", 400),
    ],
)
def test_a_frame_may_be_any_bytes(
    proxy: Proxy, server: S3Server, bucket: str, of: bytes, to: bytes, status: int
) -> None:
    raw, path = Raw(proxy), f"/{bucket}/framed"
    more = {"x_amz_decoded_content_length": "5", "content_encoding": "aws-chunked"}
    raw.head("PUT", path, framing.SIGNED, **more)
    length = len(framed(raw, b"bytes", framing.SIGNED).replace(of, to, 1))
    head = raw.head("PUT", path, framing.SIGNED, **more, content_length=str(length))
    with raw.connected() as connection:
        connection.sendall(head + framed(raw, b"bytes", framing.SIGNED).replace(of, to, 1))
        assert answer(connection)[0] == status
    with server.client() as direct:
        assert "Contents" not in direct.list_objects_v2(Bucket=bucket)


@ON_RCLONE
def test_it_is_no_http_proxy(proxy: Proxy) -> None:
    for target in (b"CONNECT evil.example:443", b"GET http://evil.example/key"):
        with Raw(proxy).connected() as connection:
            connection.sendall(target + b" HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            status, said = answer(connection)
        assert (status, b"not an HTTP proxy" in said) == (400, True)


def test_a_request_within_a_body_is_its_bytes(rclone: S3Server, tmp_path: Path) -> None:
    """What is within one request for the proxy is within one for the store."""
    inner = b"DELETE /bucket/other HTTP/1.1\r\nHost: x\r\n\r\n"
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        came = head_of(connection)
        while not came.endswith(inner):
            came += connection.recv(65536)
        heads.append(came)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with before(rclone, tmp_path, serve) as proxy:
        raw = Raw(proxy)
        length = str(len(inner))
        head = raw.head("PUT", "/bucket/k", signatures.UNSIGNED, content_length=length)
        wish = b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        with raw.connected() as connection:
            connection.sendall(head.removesuffix(b"\r\n") + wish + inner)
            assert answer(connection)[0] == 200
    (came,) = heads
    outer = came.removesuffix(inner)
    assert outer.count(b"HTTP/1.1\r\n") == 1
    assert b"Content-Length: " + length.encode() in outer
    assert b"Upgrade" not in outer
