"""Signature Version 4 as S3 has it: what is signed, and with what key. Pure.

A target is signed in the spelling in which it was sent, or as its percent-encoding ought to be
(RFC 3986, everything but `A-Za-z0-9-_.~/` escaped, once); which of the two, clients and stores do
not agree on where they differ. Nothing is ever normalised: `a/./b` and `a//b` are keys.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256().hexdigest()
_UNESCAPED = "-_.~"

Headers = Iterable[tuple[str, str]]


class Scope(NamedTuple):
    """For what a signature holds. `date` is YYYYMMDD."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


class Target(NamedTuple):
    """The path and the query of a request, as sent or as signed."""

    path: str
    query: str

    def encoded(self) -> Target:
        """The same, spelled as a client ought to sign it."""
        pairs = (pair.partition("=") for pair in self.query.split("&") if pair)
        query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)
        return Target(quote(unquote_to_bytes(self.path), safe="/" + _UNESCAPED), query)

    def __str__(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


def without(query: str, names: frozenset[str]) -> str:
    """A query less the parameters of these names."""
    return "&".join(p for p in query.split("&") if p.partition("=")[0] not in names)


def signature(
    secret: str, scope: Scope, timestamp: str, method: str, target: Target, headers: Headers,
    signed: Sequence[str], payload: str,
) -> str:  # fmt: skip
    """The signature of a request, 64 hex digits.

    `signed` are the names of the headers that it covers, lower case and sorted; `payload` is the
    digest of the body, or what is said in its place.
    """
    values: dict[str, list[str]] = {name: [] for name in signed}
    for name, value in headers:
        if (found := values.get(name.lower())) is not None:
            found.append(" ".join(value.split()))
    pairs = sorted(pair.partition("=")[::2] for pair in target.query.split("&") if pair)
    canonical = "\n".join(
        (
            method,
            target.path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{','.join(values[name])}" for name in signed),
            "",
            ";".join(signed),
            payload,
        )
    )
    digest = sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return seal(signing_key(secret, scope), f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}")


def seal(key: bytes, text: str) -> str:
    """The signature of a text."""
    return hmac.new(key, text.encode(), sha256).hexdigest()


def is_same(made: str, claimed: str) -> bool:
    """Whether a signature is the one claimed, which may be any text; takes as long in any case."""
    return hmac.compare_digest(made.encode(), claimed.encode("utf-8", "surrogateescape"))


@lru_cache(maxsize=64)
def signing_key(secret: str, scope: Scope) -> bytes:
    """The key for a scope, good for a day."""
    key = b"AWS4" + secret.encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=_UNESCAPED)
