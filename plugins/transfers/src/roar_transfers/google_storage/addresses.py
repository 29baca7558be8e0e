"""What `gs://bucket/key` names. Keys are taken as they are: nothing in such a URL is escaped."""

from __future__ import annotations

import re
from typing import NamedTuple

from roar_core.errors import RoarError

SCHEME = "gs"
_LONGEST_KEY = 1024  # bytes
_URL = re.compile(r"gs://(?P<bucket>[a-z0-9][\w.-]{1,221})(?:/(?P<key>.*))?", re.S | re.A)


class Address(NamedTuple):
    """A bucket, and a key in it or what its keys begin with; an empty key is the whole bucket."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}://{self.bucket}/{self.key}" if self.key else f"{SCHEME}://{self.bucket}"


def address_of(url: str) -> Address:
    """Read a URL. RoarError when it names no bucket or no possible key."""
    found = _URL.fullmatch(url)
    if found is None:
        raise RoarError(f"{url} names no bucket; write gs://bucket/key")
    key = found["key"] or ""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise RoarError(
            f"Google Cloud Storage takes names in UTF-8 only; rename {key!r}"
        ) from error
    if length > _LONGEST_KEY or "\n" in key or "\r" in key or key in (".", ".."):
        raise RoarError(f"Google Cloud Storage takes no object of the name {key!r}; rename it")
    return Address(found["bucket"], key)


def object_of(url: str) -> Address:
    """Read the URL of one object. RoarError when it has no key."""
    address = address_of(url)
    if not address.key:
        raise RoarError(f"{url} is a bucket, not an object; write gs://bucket/key")
    return address


def below(url: str, name: str) -> str:
    """The URL of `name` below `url`."""
    address = address_of(url)
    folder = address.key if address.key.endswith("/") or not address.key else f"{address.key}/"
    return str(object_of(f"{SCHEME}://{address.bucket}/{folder}{name}"))
