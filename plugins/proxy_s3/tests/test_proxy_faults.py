"""What goes wrong on the way: ends that break, bodies that lie, a process that dies."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import proxies
import pytest
from blake3 import blake3
from botocore.exceptions import BotoCoreError
from proxies import Proxy
from s3_servers import REGION, S3Server

from roar_proxy_s3.proxy import framing, signatures
from roar_proxy_s3.proxy.signatures import Scope, Target

MB = 1 << 20
ON_RCLONE = pytest.mark.parametrize("server", ["rclone"], indirect=True)


class Raw:
    """A client that signs by hand, to send what no good client does."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.scope = Scope(self.stamp[:8], REGION, "s3")
        self.signature = ""

    def head(self, method: str, path: str, payload: str, **headers: str) -> bytes:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {
            "host": sent.get("host", f"127.0.0.1:{self._proxy.port}"),
            "x-amz-date": self.stamp,
            "x-amz-content-sha256": payload,
        }
        names = sorted(sent)
        self.signature = signatures.signature(
            self.secret, self.scope, self.stamp, method, Target(quote(path), ""), sent.items(),
            names, payload,
        )  # fmt: skip
        key = self._proxy.server.variables["AWS_ACCESS_KEY_ID"]
        sent["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={key}/{self.scope}, SignedHeaders={';'.join(names)}, "
            f"Signature={self.signature}"
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        return f"{method} {quote(path)} HTTP/1.1\r\n{lines}\r\n".encode()

    @property
    def secret(self) -> str:
        return self._proxy.server.variables["AWS_SECRET_ACCESS_KEY"]

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._proxy.port))


def answer(connection: socket.socket) -> tuple[int, bytes]:
    with http.client.HTTPResponse(connection) as response:
        response.begin()
        return response.status, response.read()


def framed(raw: Raw, content: bytes, mode: str, spoil: int | None = None) -> bytes:
    """A body as clients frame it: signed or not, with a trailer or without."""
    seals = framing.Seals(raw.secret, raw.scope, raw.stamp, raw.signature)
    pieces = [content[at : at + 70_000] for at in range(0, len(content), 70_000)] + [b""]
    body = b""
    for number, piece in enumerate(pieces):
        body += b"%x" % len(piece)
        if mode != framing.UNSIGNED_TRAILER:
            text = "\n".join(
                (
                    "AWS4-HMAC-SHA256-PAYLOAD",
                    *(raw.stamp, str(raw.scope), seals.last),
                    *(sha256().hexdigest(), sha256(piece).hexdigest()),
                )
            )
            seals.last = signatures.seal(signatures.signing_key(raw.secret, raw.scope), text)
            claimed = "0" * 64 if number == spoil else seals.last
            body += f";chunk-signature={claimed}".encode()
        body += b"\r\n"
        if piece:
            body += piece + b"\r\n"
    if mode != framing.SIGNED:
        checksum = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
        body += f"x-amz-checksum-crc32:{checksum}\r\n".encode()
        if mode == framing.SIGNED_TRAILER:
            trailer = sha256(f"x-amz-checksum-crc32:{checksum}\n".encode()).hexdigest()
            text = "\n".join(
                ("AWS4-HMAC-SHA256-TRAILER", raw.stamp, str(raw.scope), seals.last, trailer)
            )
            seal = signatures.seal(signatures.signing_key(raw.secret, raw.scope), text)
            body += f"x-amz-trailer-signature:{seal}\r\n".encode()
    return body + b"\r\n"


def put_framed(
    proxy: Proxy, path: str, content: bytes, mode: str, spoil: int | None = None, **also: str
) -> tuple[int, bytes]:
    raw = Raw(proxy)
    headers = {
        "x_amz_decoded_content_length": str(len(content)),
        "content_encoding": "aws-chunked",
        **({} if mode == framing.SIGNED else {"x_amz_trailer": "x-amz-checksum-crc32"}),
        **also,
    }
    raw.head("PUT", path, mode, **headers)
    length = len(framed(raw, content, mode))
    head = raw.head("PUT", path, mode, **headers, content_length=str(length))
    with raw.connected() as connection:
        connection.sendall(head)
        if also:
            assert connection.recv(64) == b"HTTP/1.1 100 Continue\r\n\r\n"
        with suppress(ConnectionError):
            connection.sendall(framed(raw, content, mode, spoil))
        return answer(connection)


@pytest.mark.parametrize("mode", framing.MODES)
@pytest.mark.parametrize("expect", [{}, {"expect": "100-continue"}])
def test_framed_bodies_are_stored_without_frames(
    proxy: Proxy, server: S3Server, bucket: str, mode: str, expect: dict[str, str]
) -> None:
    content = os.urandom(200_001)
    status, said = put_framed(proxy, f"/{bucket}/key=1", content, mode, **expect)
    assert status == 200, said
    with server.client() as direct:
        got = direct.get_object(Bucket=bucket, Key="key=1")
        assert got["Body"].read() == content
    assert proxy.told("key=1")[-1]["blake3"] == blake3(content).hexdigest()


@ON_RCLONE
@pytest.mark.parametrize("spoil", [0, 2, 3])
def test_a_piece_that_is_not_signed_so_stores_nothing(
    proxy: Proxy, server: S3Server, bucket: str, spoil: int
) -> None:
    content = os.urandom(200_001)
    status, said = put_framed(proxy, f"/{bucket}/key", content, framing.SIGNED, spoil)
    assert (status, b"SignatureDoesNotMatch" in said) == (403, True)
    with server.client() as direct:
        assert "Contents" not in direct.list_objects_v2(Bucket=bucket)


@ON_RCLONE
def test_a_download_that_the_client_breaks_off(proxy: Proxy, proxied: Any, bucket: str) -> None:
    at: Any = {"Bucket": bucket, "Key": "large"}
    proxied.put_object(**at, Body=bytes(32 * MB))
    with Raw(proxy).connected() as connection:
        raw = Raw(proxy)
        connection.sendall(raw.head("GET", f"/{bucket}/large", signatures.EMPTY_SHA256))
        assert connection.recv(4096)
    _, got = proxy.told("large", 2)
    assert not got["is_all"]
    assert got["bytes"] < 32 * MB


@ON_RCLONE
def test_an_upload_that_the_client_breaks_off(
    proxy: Proxy, proxied: Any, server: S3Server, bucket: str
) -> None:
    at: Any = {"Bucket": bucket, "Key": "kept"}
    proxied.put_object(**at, Body=b"before")
    for path in (f"/{bucket}/kept", f"/{bucket}/new"):
        raw = Raw(proxy)
        with raw.connected() as connection:
            head = raw.head("PUT", path, signatures.UNSIGNED, content_length=str(MB))
            connection.sendall(head + bytes(MB // 2))
    proxied.put_object(Bucket=bucket, Key="later", Body=b"")
    proxy.told("later")
    with server.client() as direct:
        assert direct.get_object(**at)["Body"].read() == b"before"
        keys = [each["Key"] for each in direct.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["kept", "later"]
    assert len(proxy.told("kept")) == 1


@ON_RCLONE
def test_a_thousand_errors(proxy: Proxy, proxied: Any, bucket: str) -> None:
    """The proxy's own, and the store's, on one connection."""
    raw = Raw(proxy)
    missing = raw.head("GET", f"/{bucket}/none", signatures.EMPTY_SHA256)
    with raw.connected() as connection:
        for _ in range(500):
            connection.sendall(b"GET /none/none HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            assert answer(connection)[0] == 403
            connection.sendall(missing)
            assert answer(connection)[0] == 404
    proxied.put_object(Bucket=bucket, Key="after", Body=b"x")
    assert [fact["operation"] for fact in proxy.told("after")] == ["PutObject"]
    assert not [fact for fact in proxy.facts() if fact["key"] == "none"]


@ON_RCLONE
def test_64_streams_in_little_memory(proxy: Proxy, proxied: Any, bucket: str) -> None:
    contents = [bytes([number]) * (MB // 2) for number in range(64)]
    with closing(proxy.client(max_pool_connections=64)) as client:

        def moved(number: int) -> bool:
            at: Any = {"Bucket": bucket, "Key": f"stream-{number}"}
            client.put_object(**at, Body=contents[number])
            found: bytes = client.get_object(**at)["Body"].read()
            return found == contents[number]

        with ThreadPoolExecutor(64) as pool:
            assert all(pool.map(moved, range(64)))
    for number, content in enumerate(contents):
        digests = {fact["blake3"] for fact in proxy.told(f"stream-{number}", 2)}
        assert digests == {blake3(content).hexdigest()}
    status = Path(f"/proc/{proxy.process.pid}/status").read_text()
    (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    assert int(peak.split()[1]) < 60_000


@pytest.fixture
def another(rclone: S3Server, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy to end."""
    with proxies.started(tmp_path, rclone) as found:
        yield found


def test_killed_it_is_a_connection_error(another: Proxy, bucket_on_rclone: str) -> None:
    with closing(another.client()) as client:
        client.put_object(Bucket=bucket_on_rclone, Key="key", Body=b"x")
        another.process.kill()
        another.process.wait()
        with pytest.raises(BotoCoreError):
            client.get_object(Bucket=bucket_on_rclone, Key="key")
    assert [fact["operation"] for fact in another.facts()] == ["PutObject"]


def test_told_to_end_it_ends_after_the_last_byte(another: Proxy, bucket_on_rclone: str) -> None:
    raw = Raw(another)
    with raw.connected() as connection:
        head = raw.head("PUT", f"/{bucket_on_rclone}/slow", signatures.UNSIGNED, content_length="6")
        connection.sendall(head + b"sl")
        with closing(another.client()) as client:
            client.put_object(Bucket=bucket_on_rclone, Key="other", Body=b"x")
        another.process.send_signal(signal.SIGTERM)
        while _listens(another.port):
            pass
        connection.sendall(b"owly")
        assert answer(connection)[0] == 200
    assert another.process.wait(timeout=60) == 0
    assert [fact["key"] for fact in another.facts()] == ["other", "slow"]


def test_it_ends_with_the_runs_folder(another: Proxy) -> None:
    another.folder.rename(another.folder.with_name("gone"))
    assert another.process.wait(timeout=60) == 0


def test_a_store_that_is_not_there(rclone: S3Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    with proxies.started(tmp_path, rclone, endpoint=nowhere) as proxy:
        raw = Raw(proxy)
        with raw.connected() as connection:
            connection.sendall(raw.head("GET", "/bucket/key", signatures.EMPTY_SHA256))
            status, said = answer(connection)
    assert (status, b"does not answer" in said) == (503, True)


@pytest.mark.parametrize("size", [9, 99_999])
def test_a_store_that_breaks_off(rclone: S3Server, tmp_path: Path, size: int) -> None:
    """The client must not take the half for the whole."""
    listening = socket.create_server(("127.0.0.1", 0))

    def half() -> None:
        with listening, listening.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nhalf" % size)

    store = threading.Thread(target=half)
    store.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with proxies.started(tmp_path, rclone, endpoint=url) as proxy:
        raw = Raw(proxy)
        with raw.connected() as connection:
            connection.sendall(raw.head("GET", "/bucket/key", signatures.EMPTY_SHA256))
            try:
                status, _ = answer(connection)
            except http.client.IncompleteRead:
                status = 0
        told = [] if status else proxy.told("key")
    store.join()
    assert status == (503 if size == 9 else 0)
    assert not any(fact["is_all"] for fact in told)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return False
    return True
