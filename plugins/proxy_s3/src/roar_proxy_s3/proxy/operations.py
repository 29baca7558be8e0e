"""Which of S3's operations a request is, and on what: bucket, key, version, source."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

import attrs

from roar_proxy_s3.proxy.hosts import by_access_point
from roar_proxy_s3.proxy.wire.fields import Fields

# What in a query makes a request one about something other than the object's bytes.
_ASIDES = {
    *("acl", "attributes", "encryption", "legal-hold", "renameObject", "restore", "retention"),
    *("tagging", "torrent", "session"),
}
OTHER = "Other"
# Those on bytes and names of objects: each that succeeds is a fact.
RECORDED = {
    *("GetObject", "PutObject", "CopyObject", "DeleteObject", "DeleteObjects"),
    *("CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"),
    *("AbortMultipartUpload", "SelectObjectContent"),
}


@attrs.frozen
class Source:
    """What an object is copied from, whole or (`first`, `last`) in part."""

    bucket: str
    key: str
    version: str | None = None
    first: int | None = None
    last: int | None = None


@attrs.frozen
class Operation:
    """What is asked for. `bucket` and `key` are decoded; `key` is "" for a bucket's own."""

    name: str
    bucket: str
    key: str
    version: str | None = None
    upload: str | None = None
    part: int | None = None
    source: Source | None = None


def operation(method: str, bucket: str | None, path: str, query: str, headers: Fields) -> Operation:
    """The operation of a request whose host names the bucket, or, if None, whose path does.

    `path` is percent-encoded.
    """
    if bucket is None:
        bucket, _, key = path.removeprefix("/").partition("/")
        bucket = unquote(bucket)
    else:
        key = path.removeprefix("/")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    number = asked.get("partNumber", "")
    source = headers.get("x-amz-copy-source")
    return Operation(
        name=_name(method, bool(key), asked, bool(source)) if bucket else OTHER,
        bucket=bucket,
        key=unquote(key, errors="surrogateescape"),
        version=asked.get("versionId"),
        upload=asked.get("uploadId"),
        part=int(number) if number.isascii() and number.isdigit() else None,
        source=(source and _source(source, headers.get("x-amz-copy-source-range"))) or None,
    )


def _name(method: str, has_key: bool, asked: Mapping[str, str], copies: bool) -> str:
    if not has_key:
        return "DeleteObjects" if method == "POST" and "delete" in asked else OTHER
    if asked.keys() & _ASIDES:
        return OTHER
    uploads = "uploadId" in asked
    match method:
        case "GET":
            return OTHER if uploads else "GetObject"
        case "HEAD":
            return "HeadObject"
        case "PUT" if uploads:
            return "UploadPartCopy" if copies else "UploadPart"
        case "PUT":
            return "CopyObject" if copies else "PutObject"
        case "DELETE":
            return "AbortMultipartUpload" if uploads else "DeleteObject"
        case "POST" if "uploads" in asked:
            return "CreateMultipartUpload"
        case "POST" if uploads:
            return "CompleteMultipartUpload"
        case "POST" if "select" in asked:
            return "SelectObjectContent"
    return OTHER


def _source(named: str, part: str) -> Source:
    """`/bucket/key?versionId=…`, percent-encoded, the first slash optional."""
    path, _, version = named.partition("?versionId=")
    whole = unquote(path.removeprefix("/"))
    bucket, _, key = whole.partition("/")
    if (found := by_access_point(whole)) is not None:
        bucket, key = found
    first, _, last = part.removeprefix("bytes=").partition("-")
    if not (part.isascii() and first.isdigit() and last.isdigit()):
        return Source(bucket, key, version or None)
    return Source(bucket, key, version or None, int(first), int(last))
