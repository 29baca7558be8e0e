"""Objects as the store describes them: listed, and read in ranges of one generation."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from roar_core.errors import NotFoundError, TemporaryError
from roar_core.hookspecs import RemoteObject
from roar_transfers.google_storage.addresses import Address, address_of, object_of
from roar_transfers.google_storage.failures import explaining, patience

_PIECE = 1 << 20
_AT_ONCE = 4 * _PIECE


def listed(client: Any, url: str) -> Iterator[RemoteObject]:
    """Every object at `url` or below it. NotFoundError when there is none."""
    address = address_of(url)
    found = False
    if address.key and not address.key.endswith("/"):
        with explaining("look at", url):
            blob = client.bucket(address.bucket).get_blob(address.key, retry=patience())
        if blob is not None:
            found = True
            yield described(blob, address.key.rpartition("/")[2])
        address = Address(address.bucket, f"{address.key}/")
    with explaining("list", url):
        for blob in client.list_blobs(address.bucket, prefix=address.key, retry=patience()):
            # The marks by which some tools keep an empty folder are no files.
            if blob.name.endswith("/") and blob.size == 0:
                continue
            found = True
            yield described(blob, blob.name[len(address.key) :])
    if not found:
        raise NotFoundError(f"there is nothing at {url}; check its spelling")


def described(blob: Any, name: str) -> RemoteObject:
    """An object of the library's as roar's."""
    return RemoteObject(
        str(Address(blob.bucket.name, blob.name)),
        blob.size,
        str(blob.generation),
        blob.etag,
        digests_of({"md5Hash": blob.md5_hash}),
        name=name,
    )


def digests_of(resource: Mapping[str, Any]) -> dict[str, str]:
    """The MD5 of an object's content, which those that were composed of others have not."""
    try:
        digest = b64decode(resource.get("md5Hash") or "", validate=True)
    except binascii.Error:
        return {}
    return {"md5": digest.hex()} if digest else {}


def pieces(client: Any, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
    """Yield `length` bytes from `start` on, None: all the rest, of the generation of `source`."""
    address = object_of(source.url)
    generation = None if source.version is None else int(source.version)
    with explaining("read", source.url):
        blob = client.bucket(address.bucket).get_blob(
            address.key, generation=generation, retry=patience()
        )
        if blob is None:
            raise NotFoundError(f"there is nothing at {source.url}, or not of this version")
        end = blob.size if length is None else min(start + length, blob.size)
        while start < end:
            # raw: as it is stored, and not decompressed on the way
            some = blob.download_as_bytes(
                start=start,
                end=min(start + _AT_ONCE, end) - 1,
                raw_download=True,
                checksum=None,
                retry=patience(),
                if_generation_match=blob.generation,
            )
            if not some:
                raise TemporaryError(f"cannot read {source.url}: it broke off")
            start += len(some)
            for at in range(0, len(some), _PIECE):
                yield some[at : at + _PIECE]
