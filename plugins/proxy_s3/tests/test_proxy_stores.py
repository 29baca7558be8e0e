"""What stores are asked for besides plain objects: TLS, versions, copies of parts, queries."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import proxies
import pytest
import s3_servers
from blake3 import blake3
from botocore.exceptions import ClientError
from certificates import certificate
from proxies import SECRET, Proxy
from s3_servers import S3Server
from test_proxy_faults import Raw, answer

from roar_proxy_s3.proxy.signatures import EMPTY_SHA256


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[S3Server, Path]]:
    """A server by TLS, and whom to trust for it."""
    own, secret = certificate(tmp_path)
    with s3_servers.rclone(tmp_path, "--cert", own, "--key", secret) as server:
        assert server.folder is not None
        (server.folder / "bucket").mkdir()
        yield server, own


def test_a_store_by_tls_whose_certificate_is_the_user_s_own(
    secured: tuple[S3Server, Path], tmp_path: Path
) -> None:
    server, own = secured
    content = os.urandom(3_000_000)
    (folder := tmp_path / "run").mkdir()
    with (
        proxies.started(folder, server, ca_bundle=str(own)) as proxy,
        closing(proxy.client()) as client,
    ):
        client.put_object(Bucket="bucket", Key="key", Body=content)
        assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == content
        passed = _passed_through(proxy, server.url, "/bucket/key")
        told = proxy.told("key", 2)
    # Without a signature the store refuses it itself, in its own words.
    assert passed[0] in (400, 403)
    assert b"roar" not in passed[1]
    assert {fact["blake3"] for fact in told} == {blake3(content).hexdigest()}
    (folder := tmp_path / "untrusting").mkdir()
    with proxies.started(folder, server) as proxy, closing(proxy.client()) as client:
        with pytest.raises(ClientError, match="certificate"):
            client.get_object(Bucket="bucket", Key="key")
        assert proxy.facts() == []


def _passed_through(proxy: Proxy, origin: str, target: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port)
    host = origin.partition("://")[2]
    connection.request(
        "GET", target, headers={"Host": host, "Roar-Run": SECRET, "Roar-Origin": origin}
    )
    found = connection.getresponse()
    both = found.status, found.read()
    connection.close()
    return both


def test_a_bucket_before_the_proxy_s_own_name(
    proxy_of_moto: Proxy, moto: S3Server, bucket_on_moto: str
) -> None:
    with moto.client() as direct:
        direct.put_object(Bucket=bucket_on_moto, Key="before=host", Body=b"content")
    raw = Raw(proxy_of_moto)
    with raw.connected() as connection:
        host = f"{bucket_on_moto}.localhost:{proxy_of_moto.port}"
        connection.sendall(raw.head("GET", "/before=host", EMPTY_SHA256, host=host))
        assert answer(connection) == (200, b"content")
    [fact] = proxy_of_moto.told("before=host")
    assert (fact["bucket"], fact["key"]) == (bucket_on_moto, "before=host")


def test_versions_and_copies_of_them(
    proxy_of_moto: Proxy, moto: S3Server, bucket_on_moto: str
) -> None:
    at: Any = {"Bucket": bucket_on_moto, "Key": "versioned/ä=b"}
    with closing(proxy_of_moto.client()) as client:
        client.put_bucket_versioning(
            Bucket=bucket_on_moto, VersioningConfiguration={"Status": "Enabled"}
        )
        old = client.put_object(**at, Body=b"old")["VersionId"]
        client.put_object(**at, Body=b"newer")
        assert client.get_object(**at, VersionId=old)["Body"].read() == b"old"
        source = {**at, "VersionId": old}
        client.copy_object(Bucket=bucket_on_moto, Key="of old", CopySource=source)
        client.delete_object(**at, VersionId=old)
    first, _, got, gone = proxy_of_moto.told(at["Key"], 4)
    assert {first["version"], got["version"], gone["version"]} == {old}
    assert first["blake3"] == got["blake3"] == blake3(b"old").hexdigest()
    [copied] = proxy_of_moto.told("of old")
    assert copied["blake3"] == first["blake3"]
    assert (copied["source"]["key"], copied["source"]["version"]) == (at["Key"], old)


def test_parts_that_are_copied_within_the_store(
    proxy_of_moto: Proxy, moto: S3Server, bucket_on_moto: str
) -> None:
    content, size = os.urandom((5 << 20) + 100), 5 << 20
    source: Any = {"Bucket": bucket_on_moto, "Key": "copied from"}
    at: Any = {"Bucket": bucket_on_moto, "Key": "copied in parts"}
    with closing(proxy_of_moto.client()) as client:
        client.put_object(**source, Body=content)
        upload = client.create_multipart_upload(**at)["UploadId"]
        parts = []
        for number, (first, last) in enumerate(((0, size - 1), (size, size + 99)), 1):
            part = client.upload_part_copy(
                **at,
                UploadId=upload,
                PartNumber=number,
                CopySource=source,
                CopySourceRange=f"bytes={first}-{last}",
            )
            parts.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
        client.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})
    with moto.client() as direct:
        assert direct.get_object(**at)["Body"].read() == content
    _, first, second, whole = proxy_of_moto.told(at["Key"], 4)
    assert [fact["operation"] for fact in (first, second)] == ["UploadPartCopy"] * 2
    assert (second["source"]["key"], second["source"]["first"]) == ("copied from", size)
    assert (whole["operation"], "copied" in whole["why_no_digest"]) == (
        "CompleteMultipartUpload",
        True,
    )


def test_a_query_is_no_read_of_the_whole(proxy_of_moto: Proxy, bucket_on_moto: str) -> None:
    at: Any = {"Bucket": bucket_on_moto, "Key": "asked.csv"}
    with closing(proxy_of_moto.client()) as client:
        client.put_object(**at, Body=b"a,b\n1,2\n")
        found = client.select_object_content(
            **at,
            ExpressionType="SQL",
            Expression="SELECT * FROM s3object s",
            InputSerialization={"CSV": {"FileHeaderInfo": "USE"}},
            OutputSerialization={"JSON": {}},
        )
        rows = [each["Records"]["Payload"] for each in found["Payload"] if "Records" in each]
    assert b'"a":"1"' in b"".join(rows).replace(b" ", b"")
    fact = proxy_of_moto.told(at["Key"], 2)[1]
    assert (fact["operation"], fact.get("blake3")) == ("SelectObjectContent", None)


def test_who_pays_is_signed_and_sent_on(rclone: S3Server, tmp_path: Path) -> None:
    """Neither server knows buckets whose readers pay, so what is sent is looked at."""
    seen = []
    listening = socket.create_server(("127.0.0.1", 0))

    def look() -> None:
        with listening, listening.accept()[0] as connection:
            seen.append(connection.recv(65536).decode())
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    store = threading.Thread(target=look)
    store.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with proxies.started(tmp_path, rclone, endpoint=url) as proxy:
        raw = Raw(proxy)
        with raw.connected() as connection:
            head = raw.head("GET", "/bucket/key", EMPTY_SHA256, x_amz_request_payer="requester")
            connection.sendall(head)
            assert answer(connection)[0] == 200
    store.join()
    assert "x-amz-request-payer: requester\r\n" in seen[0]
    assert "x-amz-request-payer" in seen[0].partition("SignedHeaders=")[2].partition(",")[0]
