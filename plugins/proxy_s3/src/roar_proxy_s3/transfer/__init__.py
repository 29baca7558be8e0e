"""The transfer of `s3://bucket/key`, for every store that speaks S3.

addresses   URLs and what they name
client      one botocore client, set up as the user's own AWS tools are
failures    botocore's exceptions as sentences
listing     what is in a bucket, with versions
reading     ranges of one version
file_parts  a local file as bodies of requests, with checksums
simple      files that go in one request
multipart   files that go in parts, at once
resuming    what is kept of an upload in parts, and what the bucket still has of it
"""

from __future__ import annotations

from roar_core.hookspecs import PluginConfig, Transfer, hookimpl
from roar_proxy_s3.transfer.s3 import S3Transfer


@hookimpl
def roar_transfers(config: PluginConfig) -> list[Transfer]:
    return [S3Transfer()]
