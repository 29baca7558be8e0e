"""A request as it comes in: its head, its body's bytes, and the way back to its client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

from roar_proxy_s3.proxy.wire.fields import CODING, Fields, Pair, answer_head, content_length
from roar_proxy_s3.proxy.wire.outbound import Pausable
from roar_proxy_s3.proxy.wire.receiving import AT_ONCE

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Take = Callable[[bytes], bool]


class Client(Protocol):
    """What a request asks of the connection on which it came."""

    def write(self, piece: bytes) -> None:
        """Send bytes of an answer."""

    def read_on(self, request: Request) -> None:
        """Take more of its body, of which all that had come was used."""

    def fed_by(self, source: Pausable | None) -> None:
        """Pause `source` while the client takes nothing."""

    async def flushed(self) -> None:
        """Wait until the client's system has all that was written."""


class Request:
    """One request: its head, its body's bytes as they come, and the way back to its client.

    `target` is verbatim. `length` is the body's Content-Length, None when only its end tells.
    `is_old`: its client speaks HTTP/1.0. `is_last`: nothing more is answered after it.
    """

    def __init__(
        self,
        connection: Client,
        method: str,
        target: str,
        fields: Fields,
        is_old: bool,
        is_last: bool,
    ) -> None:
        self.method, self.target, self.fields = method, target, fields
        self.length = content_length(fields)
        self.has_body = bool(self.length) or CODING in fields
        # What of an answer was sent: nothing, a part, or all.
        self.is_answered = self.is_ended = False
        self._is_old, self._is_last = is_old, is_last
        self._connection = connection
        self._ahead, self._bytes_ahead = deque[bytes](), 0
        self._is_whole, self._is_cut = not self.has_body, False
        self._waiter: asyncio.Future[None] | None = None
        self._take: Take | None = None
        self._is_chunked = False

    @property
    def is_read(self) -> bool:
        """Whether nothing of the body is left to come."""
        return self._is_whole and not self._ahead

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body. It ends early once `stop` is called."""
        self._ask_for_body()
        while True:
            while self._ahead:
                piece = self._ahead.popleft()
                self._bytes_ahead -= len(piece)
                if not self._ahead:
                    self._connection.read_on(self)
                yield piece
            if self._is_whole or self._is_cut:
                return
            await self._more()

    async def hand_to(self, take: Take) -> None:
        """Have `take` called with the body's pieces, in the very moment in which they come.

        It says whether it has enough for now: then none come before `go_on`. It ends as `pieces`.
        """
        self._ask_for_body()
        is_enough = False
        while self._ahead:
            is_enough = take(self._ahead.popleft())
        self._bytes_ahead, self._take = 0, take
        if not is_enough:
            self.go_on()
        try:
            while not (self._is_whole or self._is_cut):
                await self._more()
        finally:
            self._take = None

    def go_on(self) -> None:
        """Have more of the body come."""
        self._connection.read_on(self)

    def _ask_for_body(self) -> None:
        if self.fields.get("expect").lower() == "100-continue" and not self._ahead:
            self._connection.write(_CONTINUE)

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def stop(self) -> None:
        """Have the body end: nobody wants the rest."""
        self._is_cut = True
        self._wake()

    def answer(self, status: int, reason: str, fields: Iterable[Pair], body: bytes | None) -> None:
        """Send an answer's head with the first of its body; None: there is to be none."""
        self.is_answered = True
        sent = list(fields)
        if not self.is_read:
            # What is left of the body is not the next request.
            self._is_last = True
        if self._is_last:
            sent.append(("Connection", "close"))
        head = answer_head(status, reason, sent)
        if not body:
            self._connection.write(head)
        elif self._is_chunked or len(body) > AT_ONCE:
            self._connection.write(head)
            self.write(body)
        else:
            self._connection.write(head + body)

    def answer_chunked(self, status: int, reason: str, fields: Iterable[Pair]) -> None:
        """Send the head of an answer whose length nobody knows."""
        if self._is_old:
            # It knows no chunks: the end of its connection tells the end.
            self.answer(status, reason, fields, None)
            return
        self._is_chunked = True
        self.answer(status, reason, (*fields, ("Transfer-Encoding", "chunked")), None)

    def write(self, piece: bytes) -> None:
        """Send more of the answer's body."""
        if self._is_chunked:
            self._connection.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            self._connection.write(piece)

    def end(self) -> None:
        """The answer is whole."""
        if self._is_chunked:
            self._connection.write(b"0\r\n\r\n")
        self.is_ended = True

    async def flushed(self) -> None:
        """Wait until the client's system has the answer."""
        await self._connection.flushed()

    def fed_by(self, source: Pausable | None) -> None:
        """Have whoever hands pieces on pause while the client takes none."""
        self._connection.fed_by(source)

    @property
    def ends_connection(self) -> bool:
        return self._is_last or not self.is_ended

    def feed(self, piece: bytes) -> bool:
        """Take more of the body; whether there is enough of it for now."""
        if self._is_cut:
            return False
        if self._take is not None:
            return self._take(piece)
        self._ahead.append(piece)
        self._bytes_ahead += len(piece)
        self._wake()
        return self._bytes_ahead >= AT_ONCE

    def feed_end(self) -> None:
        self._is_whole = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
