"""aws-chunked: a body in pieces with their lengths, perhaps signed, perhaps with trailing headers.

`decoded` gives the bytes that an object is made of, and checks the signatures of pieces and
trailer, which hang on the request's own; since the proxy signs that anew, they cannot be kept.
`encoded` frames bytes again, without signatures, for the sake of a trailer: it holds the checksum
that the store verifies and keeps. A body without a trailer goes on without frames.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256

import attrs

from roar_proxy_s3.proxy.refusals import Refusal, invalid
from roar_proxy_s3.proxy.signatures import EMPTY_SHA256, Scope, is_same, seal, signing_key

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MODES = (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER)

_MOST_LINE = 4096
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_PIECE = 65536
# What the checksums that S3 knows take in base64, by the name of the trailer.
_CHECKSUMS = {
    "x-amz-checksum-crc32": 8,
    "x-amz-checksum-crc32c": 8,
    "x-amz-checksum-crc64nvme": 12,
    "x-amz-checksum-sha1": 28,
    "x-amz-checksum-sha256": 44,
}


@attrs.define
class Seals:
    """The chain of signatures over the pieces of one body."""

    secret: str = attrs.field(repr=False)
    scope: Scope
    stamp: str
    last: str

    def piece(self, digest: str, claimed: str) -> None:
        """Check the next piece's. Raises Refusal."""
        self._check("PAYLOAD", f"{EMPTY_SHA256}\n{digest}", claimed)

    def trailer(self, text: bytes, claimed: str) -> None:
        """Check that of the trailing headers. Raises Refusal."""
        self._check("TRAILER", sha256(text).hexdigest(), claimed)

    def _check(self, what: str, digests: str, claimed: str) -> None:
        text = f"AWS4-HMAC-SHA256-{what}\n{self.stamp}\n{self.scope}\n{self.last}\n{digests}"
        made = seal(signing_key(self.secret, self.scope), text)
        if not is_same(made, claimed):
            raise Refusal(403, "SignatureDoesNotMatch", "a piece of the body is not signed so")
        self.last = claimed


async def decoded(
    body: AsyncIterator[bytes], seals: Seals | None, trailer: dict[str, str]
) -> AsyncIterator[bytes]:
    """The bytes in a framed body. Trailing headers are put into `trailer`, which they end.

    Raises:
        Refusal: it is not framed so, is cut short, or has a wrong signature.
    """
    held = b""

    async def more() -> bytes:
        try:
            return await anext(body)
        except StopAsyncIteration:
            raise Refusal(400, "IncompleteBody", "the body ends too early") from None

    async def line() -> bytes:
        nonlocal held
        while (end := held.find(b"\r\n")) < 0:
            if len(held) > _MOST_LINE:
                raise invalid("the body is not aws-chunked")
            held += await more()
        found, held = held[:end], held[end + 2 :]
        return found

    while True:
        size, _, extension = (await line()).partition(b";")
        if not _SIZE.fullmatch(size):
            raise invalid("the body is not aws-chunked")
        left = int(size, 16)
        is_last, digest = left == 0, sha256()
        while left:
            if not held:
                held = await more()
            piece, held = (held, b"") if len(held) <= left else (held[:left], held[left:])
            left -= len(piece)
            if seals:
                digest.update(piece)
            # Given out before its signature is checked: who takes it keeps the last one back.
            yield piece
        if seals:
            claimed = extension.strip().removeprefix(b"chunk-signature=")
            seals.piece(digest.hexdigest(), claimed.decode("ascii", "replace"))
        if is_last:
            break
        if await line():
            raise invalid("a piece of the body is longer than it says")
    signed = b""
    while entry := await line():
        name, _, value = entry.decode("latin-1").partition(":")
        name = name.strip().lower()
        if name == "x-amz-trailer-signature":
            if seals:
                seals.trailer(signed, value.strip())
                seals = None
            continue
        trailer[name] = value.strip()
        signed += f"{name}:{value.strip()}\n".encode("latin-1")
    if seals and signed:
        raise Refusal(403, "SignatureDoesNotMatch", "the body's trailer is not signed")


def framed_length(size: int, name: str) -> int | None:
    """What `encoded` makes of a body of `size` bytes, None for a checksum of unknown length."""
    if name not in _CHECKSUMS:
        return None
    whole, rest = divmod(size, _PIECE)
    framed = whole * (_PIECE + len(f"{_PIECE:x}") + 4)
    if rest:
        framed += rest + len(f"{rest:x}") + 4
    return framed + len("0\r\n") + len(name) + 1 + _CHECKSUMS[name] + len("\r\n\r\n")


async def encoded(pieces: AsyncIterator[bytes], trailer: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Frame bytes, in pieces of one length, and what `trailer` holds when they have ended."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        while len(held) >= _PIECE:
            yield b"%x\r\n%b\r\n" % (_PIECE, bytes(held[:_PIECE]))
            del held[:_PIECE]
    if held:
        yield b"%x\r\n%b\r\n" % (len(held), bytes(held))
    entries = "".join(f"{name}:{value}\r\n" for name, value in trailer.items())
    yield f"0\r\n{entries}\r\n".encode("latin-1")
