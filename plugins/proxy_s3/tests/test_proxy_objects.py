"""Objects through the proxy, with boto3, before both servers: their bytes and what is told."""

from __future__ import annotations

from typing import Any

from blake3 import blake3
from proxies import Proxy

# What stores and clients spell in more than one way. rclone takes no empty or dotted segments.
KEYS = [
    "year=2024/part-0.parquet",
    "a b+c:d%20e?f#g",
    "ä/日本/é.bin",
    "tilde~(paren)'!*@&,;$",
]
DOTTED = ["a//b", "a/./b", "trailing/"]


def test_bytes_pass_unchanged_and_are_told(proxy: Proxy, proxied: Any, bucket: str) -> None:
    for number, key in enumerate(KEYS):
        content = f"content {number}".encode() * 99_999
        proxied.put_object(Bucket=bucket, Key=key, Body=content)
        assert proxied.get_object(Bucket=bucket, Key=key)["Body"].read() == content
        put, get = proxy.told(key, 2)
        assert (put["operation"], get["operation"]) == ("PutObject", "GetObject")
        for fact in (put, get):
            assert fact["blake3"] == blake3(content).hexdigest()
            assert (fact["bucket"], fact["bytes"], fact["size"]) == (
                bucket,
                len(content),
                len(content),
            )
