"""What the headers of a web server's answer say of an object (RFC 9110, RFC 9530). Pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)", re.ASCII)
_DIGEST = re.compile(r"(sha-256|sha-512)=:([A-Za-z0-9+/=]+):")
_MOST_DIGITS = 19
# Registered in RFC 9530, section 5.
_ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512"}


def content_range(answer: httpx.Response) -> tuple[int, int | None] | None:
    """First byte and size of the whole, None where a header does not tell; (-1, size) of none."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if found is None:
        return None
    size = None if found[3] == "*" else int(found[3])
    return (int(found[1]) if found[1] else -1, size)


def size_of(answer: httpx.Response) -> int | None:
    """Bytes of the whole object, None where that is not told, or told of a packed form."""
    if answer.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        return None
    if answer.status_code in (206, 416):
        found = content_range(answer)
        return found[1] if found else None
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= _MOST_DIGITS else None


def version_of(answer: httpx.Response) -> tuple[str | None, str | None]:
    """Version and etag: a strong etag says all; else the date of the last change is the version."""
    etag = answer.headers.get("etag") or None
    if etag is not None and not etag.startswith("W/"):
        return None, etag
    return answer.headers.get("last-modified") or None, etag


def validator_of(version: tuple[str | None, str | None]) -> str | None:
    """What `If-Range` takes of a version and an etag, None when neither will do."""
    date, etag = version
    return etag if etag is not None and not etag.startswith("W/") else date


def digests_of(answer: httpx.Response) -> dict[str, str]:
    """Digests that the server tells of the whole object, by algorithm and in hex."""
    digests: dict[str, str] = {}
    for name, value in _DIGEST.findall(answer.headers.get("repr-digest", "")):
        try:
            digests[_ALGORITHMS[name]] = base64.b64decode(value, validate=True).hex()
        except (binascii.Error, ValueError):
            continue
    return digests


def refusal(answer: httpx.Response) -> str:
    """`503 Service Unavailable`."""
    return f"{answer.status_code} {answer.reason_phrase}".strip()
