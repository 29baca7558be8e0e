"""Ranges of one version of an object, and of no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roar_core.errors import RoarError, TemporaryError
from roar_core.hookspecs import RemoteObject
from roar_proxy_s3.transfer.addresses import object_of
from roar_proxy_s3.transfer.failures import changed, explaining

_PIECE = 1 << 20


def pieces(client: Any, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
    """Yield `length` bytes from `start` on, None: all the rest, of what `source` names."""
    address = object_of(source.url)
    request: dict[str, Any] = {"Bucket": address.bucket, "Key": address.key}
    if source.version:
        request["VersionId"] = source.version
    elif source.etag:
        request["IfMatch"] = f'"{source.etag}"'
    # An empty range cannot be asked for: such an object is looked at, so that it is there at all.
    if length == 0 or source.size == 0:
        with explaining("read", source.url):
            client.head_object(**request)
        return
    if start or length is not None:
        request["Range"] = f"bytes={start}-" + ("" if length is None else str(start + length - 1))
    with explaining("read", source.url):
        answer = client.get_object(**request)
        body = answer["Body"]
        try:
            # Not every store heeds the condition.
            if source.etag not in (None, answer.get("ETag", "").strip('"')):
                raise RoarError(changed(source.url))
            if start and "ContentRange" not in answer:
                raise RoarError(f"{source.url} is on a store that gives no parts of objects")
            got = 0
            while piece := body.read(_PIECE if length is None else min(_PIECE, length - got)):
                got += len(piece)
                yield piece
        finally:
            body.close()
    if length is not None and got != length:
        raise TemporaryError(f"cannot read {source.url}: it ended after {got} of {length} bytes")
