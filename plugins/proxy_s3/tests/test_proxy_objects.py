"""Objects through the proxy, with boto3, before both servers: their bytes and what is told."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from blake3 import blake3
from botocore.exceptions import ClientError
from proxies import Proxy
from s3_servers import S3Server

# What stores and clients spell in more than one way.
KEYS = [
    "year=2024/part-0.parquet",
    "a b+c:d%20e?f#g",
    "ä/日本/é.bin",
    "tilde~(paren)'!*@&,;$",
]
# rclone takes no empty segments and no dots.
DOTTED = ["a//b", "a/./b", "a/../b", "trailing/"]


@pytest.fixture(params=[*KEYS, *DOTTED])
def key(request: pytest.FixtureRequest, server: S3Server) -> str:
    name: str = request.param
    if server.folder is not None and name in DOTTED:
        name = name.replace("/", "-")
    return name


def test_every_operation_on_every_key(
    proxy: Proxy, proxied: Any, server: S3Server, bucket: str, key: str
) -> None:
    content = key.encode() * 9_999
    digest = blake3(content).hexdigest()
    at: Any = {"Bucket": bucket, "Key": key}
    already = len(proxy.facts())
    proxied.put_object(**at, Body=content)
    assert proxied.get_object(**at)["Body"].read() == content
    assert proxied.head_object(**at)["ContentLength"] == len(content)
    part = proxied.get_object(**at, Range="bytes=5-99")
    assert part["Body"].read() == content[5:100]
    copy = key + " copy"
    proxied.copy_object(Bucket=bucket, Key=copy, CopySource=at)
    with server.client() as direct:
        assert direct.get_object(**at)["Body"].read() == content
        assert direct.get_object(Bucket=bucket, Key=copy)["Body"].read() == content
    listed = proxied.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
    assert [each["Key"] for each in listed] == [key, copy]
    deleted = proxied.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": copy}]})
    assert "Errors" not in deleted
    proxied.delete_object(**at)
    proxy.told(key, 4)

    put, get, some, copied, *gone = proxy.facts()[already:]
    assert (put["operation"], get["operation"]) == ("PutObject", "GetObject")
    for fact in (put, get):
        assert (fact["bucket"], fact["key"], fact["blake3"]) == (bucket, key, digest)
        assert (fact["bytes"], fact["size"]) == (len(content), len(content))
    assert get["etag"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert (some["range"], some["bytes"], some["size"]) == ([5, 100], 95, len(content))
    assert (copied["operation"], copied["key"]) == ("CopyObject", copy)
    assert copied["source"]["key"] == key
    told = [(fact["operation"], fact["key"]) for fact in gone]
    assert told == [("DeleteObjects", copy), ("DeleteObject", key)]


def test_what_failed_is_no_fact(proxy: Proxy, proxied: Any, bucket: str) -> None:
    already = len(proxy.facts())
    for call in (proxied.head_object, proxied.get_object, proxied.delete_object):
        with pytest.raises(ClientError):
            call(Bucket=bucket + "-none", Key="none")
    proxied.put_object(Bucket=bucket, Key="last", Body=b"x")
    proxy.told("last")
    assert [fact["key"] for fact in proxy.facts()[already:]] == ["last"]


def test_an_upload_in_parts(proxy: Proxy, proxied: Any, server: S3Server, bucket: str) -> None:
    at: Any = {"Bucket": bucket, "Key": "in=parts/ä b"}
    contents = [b"1" * (5 << 20), b"2" * (5 << 20), b"end"]
    upload = proxied.create_multipart_upload(**at)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": proxied.upload_part(**at, UploadId=upload, PartNumber=number, Body=content)[
                "ETag"
            ],
        }
        for number, content in enumerate(contents, 1)
    ]
    proxied.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})
    with server.client() as direct:
        assert direct.get_object(**at)["Body"].read() == b"".join(contents)
    begun, *passed, whole = proxy.told(at["Key"], 5)
    assert begun["operation"] == "CreateMultipartUpload"
    assert [(fact["part"], fact["bytes"]) for fact in passed] == [
        (number, len(content)) for number, content in enumerate(contents, 1)
    ]
    assert {fact["upload"] for fact in (begun, *passed, whole)} == {upload}
    assert (whole["operation"], whole["size"]) == ("CompleteMultipartUpload", (10 << 20) + 3)
    assert whole["blake3"] == blake3(b"".join(contents)).hexdigest()


def test_ranges_in_any_order_are_the_whole(proxy: Proxy, proxied: Any, bucket: str) -> None:
    at: Any = {"Bucket": bucket, "Key": "in ranges"}
    content = bytes(range(256)) * 1200
    # Written around the proxy's memory of it: the digest must come from what is read.
    with proxy.server.client() as direct:
        direct.put_object(**at, Body=content)
    for start, stop in ((100_001, 200_000), (0, 5), (200_000, len(content)), (5, 100_001)):
        part = proxied.get_object(**at, Range=f"bytes={start}-{stop - 1}")["Body"].read()
        assert part == content[start:stop]
    *some, last = proxy.told(at["Key"], 4)
    assert [fact.get("blake3") for fact in some] == [None] * 3
    assert {fact["why_no_digest"] for fact in some} == {"not all of it was read"}
    assert last["blake3"] == blake3(content).hexdigest()


def test_the_short_last_part_first(proxy: Proxy, proxied: Any, bucket: str) -> None:
    """Managed uploads send parts at once, and the shortest may be the first to arrive."""
    at: Any = {"Bucket": bucket, "Key": "last first"}
    contents = {2: b"short", 1: os.urandom((5 << 20) + 7)}
    upload = proxied.create_multipart_upload(**at)["UploadId"]
    tags = {
        number: proxied.upload_part(**at, UploadId=upload, PartNumber=number, Body=content)["ETag"]
        for number, content in contents.items()
    }
    parts = [{"PartNumber": number, "ETag": tags[number]} for number in sorted(tags)]
    proxied.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})
    whole = proxy.told(at["Key"], 4)[-1]
    assert whole["blake3"] == blake3(contents[1] + contents[2]).hexdigest()
