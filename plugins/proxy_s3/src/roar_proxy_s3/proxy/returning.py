"""A store's answer on its way back to the client, followed as it passes."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from roar_proxy_s3.proxy.telling import Passage
from roar_proxy_s3.proxy.wire.fields import Answer, end_to_end
from roar_proxy_s3.proxy.wire.outbound import Pausable
from roar_proxy_s3.proxy.wire.request import Request

# Sent in one system call with its head: these are half of what a small request costs.
_SMALL = 65536


class Returning:
    """Hands an answer on as it comes. On leaving the block the operation is told.

    A small body is held until it is whole: a store that breaks off in it has given no answer.
    """

    def __init__(self, request: Request, passage: Passage) -> None:
        self.passage = passage
        self._request = request
        self._answer: Answer | None = None
        self._held: bytes | None = None
        self._is_passing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            if self._is_passing:
                self.passage.ended(False)
            return
        body = self._held
        if body is not None:
            self._see_head()
            if body:
                self.passage.came(body)
        if not self.passage.is_reading:
            # What the store has done is done, whether its client learns of it or not.
            self.passage.ended(True)
        is_all = False
        try:
            if body is not None:
                self._send(body)
            self._request.end()
            await self._request.flushed()
            is_all = True
        finally:
            if self.passage.is_reading:
                self.passage.ended(is_all)

    def fed_by(self, source: Pausable | None) -> None:
        self._request.fed_by(source)

    def head(self, answer: Answer) -> None:
        self._answer = answer
        is_bodiless = self._request.method == "HEAD" or answer.status in (204, 304)
        if is_bodiless or (answer.length is not None and answer.length <= _SMALL):
            self._held = b""
            return
        self._is_passing = True
        self._see_head()
        self._send(None)

    def data(self, piece: bytes) -> None:
        if self._held is not None:
            self._held += piece
            return
        self.passage.came(piece)
        self._request.write(piece)

    def _see_head(self) -> None:
        assert self._answer is not None
        self.passage.answered(self._answer.status, self._answer.fields)

    def _send(self, body: bytes | None) -> None:
        """Send the head, with all of a small body; None: the body follows."""
        answer = self._answer
        assert answer is not None
        fields = end_to_end(answer.fields)
        if body is None and answer.length is None:
            self._request.answer_chunked(answer.status, answer.reason, fields)
        else:
            self._request.answer(answer.status, answer.reason, fields, body)
