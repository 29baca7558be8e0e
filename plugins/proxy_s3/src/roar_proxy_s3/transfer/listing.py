"""What is in a bucket: one object, or all below a folder, with versions where there are any."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from roar_core.errors import NotFoundError
from roar_core.hookspecs import RemoteObject
from roar_proxy_s3.transfer.addresses import Address, address_of
from roar_proxy_s3.transfer.failures import code_of, explaining, not_s3, status_of


def listed(client: Any, url: str) -> Iterator[RemoteObject]:
    """Every object at `url` or below it. NotFoundError when there is none."""
    address = address_of(url)
    found = False
    if address.key and not address.key.endswith("/"):
        with explaining("look at", url):
            here = described(client, address)
        if here is not None:
            found = True
            yield here
        address = Address(address.bucket, f"{address.key}/")
    with explaining("list", url):
        for entry in _entries(client, address):
            key = entry["Key"]
            # The marks by which some tools keep an empty folder are no files.
            if key.endswith("/") and entry["Size"] == 0:
                continue
            found = True
            yield RemoteObject(
                str(Address(address.bucket, key)),
                entry["Size"],
                version_of(entry),
                entry["ETag"].strip('"'),
                name=key[len(address.key) :],
            )
    if not found:
        raise NotFoundError(f"there is nothing at {url}; check its spelling")


def described(client: Any, address: Address, version: str | None = None) -> RemoteObject | None:
    """One object as the store describes it, None when it is not there. Raises botocore's errors."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]

    which = {"VersionId": version} if version else {}
    try:
        head = client.head_object(
            Bucket=address.bucket, Key=address.key, ChecksumMode="ENABLED", **which
        )
    except ClientError as error:
        # A bucket that is not there is told when it is listed: this answer has no body to say so.
        if status_of(error) == 404:
            return None
        raise
    return RemoteObject(
        str(address),
        head["ContentLength"],
        version_of(head),
        etag_of(head, str(address)),
        digests_of(head),
        name=address.key.rpartition("/")[2],
    )


def version_of(answer: Mapping[str, Any]) -> str | None:
    """The version of an object, None where its bucket keeps none."""
    version: str | None = answer.get("VersionId")
    return None if version == "null" else version


def etag_of(answer: Mapping[str, Any], url: str) -> str:
    """The ETag, which every S3 gives. Raises RoarError when this one does not."""
    etag: str = answer.get("ETag", "").strip('"')
    if not etag:
        raise not_s3("look at", url)
    return etag


def digests_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """The SHA-256 of the whole content, where the store has it. An ETag need be no MD5."""
    sent = answer.get("ChecksumSHA256", "")
    # Of an object that came in parts it is one of the parts' own checksums: `<base64>-<count>`.
    if not sent or "-" in sent or answer.get("ChecksumType") == "COMPOSITE":
        return {}
    try:
        return {"sha256": b64decode(sent, validate=True).hex()}
    except binascii.Error:
        return {}


def _entries(client: Any, address: Address) -> Iterator[Mapping[str, Any]]:
    """The objects whose keys begin with `address.key`, as they are now, in the order of keys."""
    where = {"Bucket": address.bucket, "Prefix": address.key}
    if _keeps_versions(client, address.bucket):
        for page in client.get_paginator("list_object_versions").paginate(**where):
            yield from (entry for entry in page.get("Versions", ()) if entry["IsLatest"])
        return
    for page in client.get_paginator("list_objects_v2").paginate(**where):
        if "IsTruncated" not in page:  # which every listing says
            raise not_s3("list", str(address))
        yield from page.get("Contents", ())


def _keeps_versions(client: Any, bucket: str) -> bool:
    """Whether a bucket has versions, and these credentials may list them."""
    from botocore.exceptions import ClientError

    try:
        if not client.get_bucket_versioning(Bucket=bucket).get("Status"):
            return False
        client.list_object_versions(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if code_of(error) == "NoSuchBucket" or status_of(error) not in (400, 403, 404, 405, 501):
            raise
        # Not allowed, or not known to this store: objects are told apart by ETag then.
        return False
    return True
