"""The body of a request on its way to the store: never whole in memory, seen once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from roar_proxy_s3.proxy import framing
from roar_proxy_s3.proxy.admission import Admitted
from roar_proxy_s3.proxy.refusals import Refusal, invalid, unavailable
from roar_proxy_s3.proxy.signatures import UNSIGNED
from roar_proxy_s3.proxy.wire.request import Request

_HEX_DIGEST = 64


class Body:
    """What to send on, and how to announce it.

    `length` is its Content-Length, None when only its end tells. `payload` is what
    `x-amz-content-sha256` says of it. `see` is given the object's bytes as they pass. Reading it
    raises Refusal for what is wrong with it; then the store has not got all of it.
    """

    def __init__(self, request: Request, see: Callable[[bytes], object]) -> None:
        self._request, self._see = request, see
        self.is_begun = False
        self.length = request.length
        self.payload = ""
        self.keeps_frames = True
        # Without frames it goes on as it comes.
        self.is_handed_on = request.fields.get("x-amz-content-sha256") not in framing.MODES
        self._pieces = self._verbatim()

    def resign(self, admitted: Admitted) -> None:
        """Make it one to be signed anew. Raises Refusal for what cannot be."""
        self.payload = payload = admitted.payload
        if payload == UNSIGNED or len(payload) == _HEX_DIGEST:
            return
        if payload not in framing.MODES:
            raise invalid(f"roar's proxy does not know bodies that are {payload[:64]!r}")
        self.is_handed_on = False
        headers = self._request.fields
        said = headers.get("x-amz-decoded-content-length", "")
        if not (said.isascii() and said.isdigit()):
            raise Refusal(411, "MissingContentLength", "x-amz-decoded-content-length is missing")
        size, trailer = int(said), dict[str, str]()
        seals = None
        if payload != framing.UNSIGNED_TRAILER:
            seals = framing.Seals(
                admitted.credential.secret, admitted.scope, admitted.stamp, admitted.signature
            )
        plain = self._plain(size, seals, trailer)
        if payload == framing.SIGNED:
            self.payload, self.length, self.keeps_frames = UNSIGNED, size, False
            self._pieces = plain
        else:
            self.payload = framing.UNSIGNED_TRAILER
            named = headers.get("x-amz-trailer", "").strip().lower()
            self.length = framing.framed_length(size, named)
            self._pieces = framing.encoded(plain, trailer)

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._begin()
        return self._pieces

    async def hand_to(self, take: Callable[[bytes], bool]) -> None:
        """Have `take` called with its pieces as they come; True: not before `go_on`."""
        self._begin()

        def seen(piece: bytes) -> bool:
            self._see(piece)
            return take(piece)

        await self._request.hand_to(seen)

    def go_on(self) -> None:
        """There is room for more."""
        self._request.go_on()

    def _begin(self) -> None:
        if self.is_begun:
            raise unavailable("the store closed the connection; send the request again")
        self.is_begun = True

    def stop(self) -> None:
        """Nobody wants the rest."""
        self._request.stop()

    async def _verbatim(self) -> AsyncIterator[bytes]:
        """As it came. An object's bytes are seen without the frames that they may come in."""
        raw = self._request.pieces()
        said = self._request.fields.get("x-amz-content-sha256")
        if said not in framing.MODES:
            async for piece in raw:
                self._see(piece)
                yield piece
            return
        came: list[bytes] = []

        async def tapped() -> AsyncIterator[bytes]:
            async for piece in raw:
                came.append(piece)
                yield piece

        async for piece in framing.decoded(tapped(), None, {}):
            self._see(piece)
            while came:
                yield came.pop(0)
        for piece in came:
            yield piece

    async def _plain(
        self, size: int, seals: framing.Seals | None, trailer: dict[str, str]
    ) -> AsyncIterator[bytes]:
        """The object's bytes, which must be as many as was said.

        Each follows only when the next is there, and the last when all signatures were right: with
        its last byte the store has an object.
        """
        held = b""
        async for piece in framing.decoded(self._request.pieces(), seals, trailer):
            self._see(piece)
            size -= len(piece)
            if size < 0:
                break
            if held:
                yield held
            held = piece
        if size:
            raise Refusal(400, "IncompleteBody", "the body is not as long as it says")
        if held:
            yield held


def object_length(request: Request) -> int | None:
    """How many bytes of an object a request says that it brings."""
    said = request.fields.get("x-amz-decoded-content-length")
    return int(said) if said.isascii() and said.isdigit() else request.length
