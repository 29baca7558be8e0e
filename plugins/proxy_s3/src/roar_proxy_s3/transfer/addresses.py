"""What `s3://bucket/key` names. Keys are taken as they are: nothing in such a URL is escaped."""

from __future__ import annotations

import re
from typing import NamedTuple

from roar_core.errors import RoarError

SCHEME = "s3"
_LONGEST_KEY = 1024  # bytes, says S3

# An access point stands for a bucket, and its name has a slash of its own.
_ACCESS_POINT = re.compile(
    r"(?P<bucket>arn:aws[\w-]*:s3[\w-]*:[\w-]*:\d{12}:accesspoint[:/][^/]+)(?:/(?P<key>.*))?", re.S
)
# Looser than S3's rules of today: old buckets, and other stores, have dots, capitals and more.
_BUCKET = re.compile(r"(?P<bucket>[A-Za-z0-9][\w.-]{1,254})(?:/(?P<key>.*))?", re.S | re.A)


class Address(NamedTuple):
    """A bucket, and a key in it or what its keys begin with; an empty key is the whole bucket."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}://{self.bucket}/{self.key}" if self.key else f"{SCHEME}://{self.bucket}"


def address_of(url: str) -> Address:
    """Read a URL. RoarError when it names no bucket or no possible key."""
    rest = url.partition("://")[2]
    found = _ACCESS_POINT.fullmatch(rest) or _BUCKET.fullmatch(rest)
    if found is None:
        raise RoarError(f"{url} names no bucket; write s3://bucket/key")
    key = found["key"] or ""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise RoarError(f"S3 takes names in UTF-8 only, which {key!r} is not; rename it") from error
    if length > _LONGEST_KEY:
        raise RoarError(f"the key of {url} has {length} bytes, and S3 takes {_LONGEST_KEY}")
    return Address(found["bucket"], key)


def object_of(url: str) -> Address:
    """Read the URL of one object. RoarError when it has no key."""
    address = address_of(url)
    if not address.key:
        raise RoarError(f"{url} is a bucket, not an object; write s3://bucket/key")
    return address


def below(url: str, name: str) -> str:
    """The URL of `name` below `url`."""
    address = address_of(url)
    folder = address.key if address.key.endswith("/") or not address.key else f"{address.key}/"
    return str(object_of(f"{SCHEME}://{address.bucket}/{folder}{name}"))
