"""Files that go in one request: the object is there whole, or as it was before."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from roar_core.errors import AlreadyThereError, RoarError
from roar_core.hookspecs import RemoteObject, Upload
from roar_proxy_s3.transfer.addresses import Address
from roar_proxy_s3.transfer.client import is_amazon
from roar_proxy_s3.transfer.failures import explaining, status_of
from roar_proxy_s3.transfer.file_parts import sha256
from roar_proxy_s3.transfer.listing import described, etag_of, version_of


def put_whole(client: Any, upload: Upload, address: Address, descriptor: int) -> RemoteObject:
    """Upload an open file of few bytes."""
    content = os.pread(descriptor, upload.size + 1, 0)
    if len(content) != upload.size:
        raise RoarError(f"{upload.source} has changed its size meanwhile; put it again")
    begun = upload.state / "begun"
    if not upload.replace:
        if begun.exists() or not is_amazon(client):
            found = _there(client, upload, address)
            if found is not None:
                if begun.exists() and _is_of(found, content):
                    upload.advance(len(content))
                    return found  # ours: roar was killed before it heard so
                raise already_there(upload.url)
        begun.touch()
    digest = sha256(content)
    request = {
        "Bucket": address.bucket,
        "Key": address.key,
        "Body": content,
        "ChecksumSHA256": digest,
    }
    # Told before the last moment at which the upload can still be ended.
    upload.advance(len(content))
    arrived = False
    try:
        with explaining("write", upload.url):
            answer = conditionally(client.put_object, request, upload)
        arrived = True
    finally:
        if not arrived:
            upload.advance(-len(content))
    return RemoteObject(
        upload.url,
        len(content),
        version_of(answer),
        etag_of(answer, upload.url),
        {"sha256": hashlib.sha256(content).hexdigest()},
        name=address.key.rpartition("/")[2],
    )


def conditionally(operation: Any, request: dict[str, Any], upload: Upload) -> Any:
    """Send what makes an object, on condition that there is none unless it may be replaced."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]

    if upload.replace:
        return operation(**request)
    try:
        return operation(**request, IfNoneMatch="*")
    except ClientError as error:
        if status_of(error) == 412:
            raise already_there(upload.url) from error
        if status_of(error) != 501:
            raise
    return operation(**request)  # the store knows no conditions, but was looked at before


def already_there(url: str) -> AlreadyThereError:
    """The error for an object that may not be replaced."""
    return AlreadyThereError(f"there is an object at {url} already")


def _there(client: Any, upload: Upload, address: Address) -> RemoteObject | None:
    with explaining("look at", upload.url):
        return described(client, address)


def _is_of(found: RemoteObject, content: bytes) -> bool:
    """Whether an object has this content, as far as its store tells."""
    if "sha256" in found.digests:
        return found.digests["sha256"] == hashlib.sha256(content).hexdigest()
    return found.etag == hashlib.md5(content, usedforsecurity=False).hexdigest()
