"""One connection to a store: a request goes out, and its answer is handed on as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import httptools

from roar_proxy_s3.proxy.wire.fields import CODING, Answer, Fields, Pair, content_length, text
from roar_proxy_s3.proxy.wire.receiving import left_behind, opened

_MOST_HEAD = 1 << 17


class BrokenOffError(ConnectionError):
    """The store closed the connection, or spoke no HTTP. `is_unanswered`: not a byte had come."""

    def __init__(self, is_unanswered: bool) -> None:
        super().__init__("the store broke the connection off")
        self.is_unanswered = is_unanswered


class Pausable(Protocol):
    """What hands pieces on, and can be asked not to."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Sink(Protocol):
    """Who is given an answer as it comes."""

    def fed_by(self, source: Pausable | None) -> None:
        """Learn who can be paused; None: it is over."""

    def head(self, answer: Answer) -> None: ...

    def data(self, piece: bytes) -> None: ...


class Outbound(asyncio.Protocol):
    """A connection. `is_reusable` once an answer was whole; `is_open` until either end closes.

    `room` is called when the store has taken most of what was written.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.is_open, self.is_reusable, self.idle_since = False, False, 0.0
        self._sink: Sink | None = None
        self._over: asyncio.Future[None] | None = None
        self._drain: asyncio.Future[None] | None = None
        self.room: Callable[[], None] | None = None
        self._is_full = self._is_bodiless = self._has_come = self._ends_with_connection = False
        self._is_paused = False
        self._left = 0
        self._pairs = list[Pair]()
        # What has come since the last of a body, or since the request.
        self._bytes_beside = 0

    def begin(self, head: bytes, sink: Sink, is_bodiless: bool) -> asyncio.Future[None]:
        """Send a request's head; done when its answer is whole, or failed with BrokenOffError.

        `is_bodiless`: the answer has no body whatever it says, as that to a HEAD.
        """
        self._sink, self._is_bodiless = sink, is_bodiless
        self._over = self._loop.create_future()
        self._is_in_head, self.is_reusable = True, False
        self._has_come = self._ends_with_connection = False
        self._parser = httptools.HttpResponseParser(self)
        self._left = self._bytes_beside = 0
        sink.fed_by(self)
        if self.is_open:
            self.transport.write(head)
        else:
            self._fail()
        return self._over

    def write(self, piece: bytes) -> bool:
        """Send more of the request's body; whether that is enough until there is `room`."""
        self.transport.write(piece)
        return self._is_full

    async def drained(self) -> None:
        """Wait until the store has taken most of what was written, or the answer is there."""
        if self._is_full and self.is_open and not (self._over and self._over.done()):
            self._drain = self._loop.create_future()
            await self._drain

    def abort(self) -> None:
        """Close at once."""
        self.is_open = False
        self.transport.abort()

    def pause(self) -> None:
        """Hand nothing on until `resume`."""
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.is_open = opened(transport), True

    def data_received(self, data: bytes) -> None:
        if self._over is None or self._over.done():
            # Nobody has asked for it.
            self.abort()
            return
        self._has_come = True
        if self._left:
            # Within a body of known length: nothing to parse, nothing to copy.
            self._left -= len(data)
            if self._left < 0:
                self._fail()
                return
            self._sink_data(data)
            if not self._left:
                self._end()
            return
        self._bytes_beside += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail()
            return
        if self._bytes_beside > _MOST_HEAD:
            self._fail()

    def eof_received(self) -> None:
        if self._ends_with_connection:
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        is_waited_for = self._over is not None and not self._over.done()
        if is_waited_for and error is not None and (rest := left_behind(self.transport)):
            self.data_received(rest)
        if self._ends_with_connection and error is None:
            self._end()
        self._fail()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        if self.room is not None:
            self.room()
        self._wake()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:
            # Those behind a body in chunks are not handed on.
            self._pairs.append((text(name), text(value)))

    def on_status(self, reason: bytes) -> None:
        self._reason = text(reason)

    def on_message_begin(self) -> None:
        if self._over is None or self._over.done():
            raise ValueError("an answer that nobody has asked for")
        self._reason = ""

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        fields = Fields(self._pairs)
        self._pairs, self._bytes_beside = [], 0
        if status < 200:
            # To go on was never asked for.
            return
        self._is_in_head = False
        self._keeps = self._parser.should_keep_alive()
        coding = fields.get(CODING)
        if coding.lower() not in ("", "chunked"):
            raise ValueError("an answer in a coding that nobody has asked for")
        is_chunked = bool(coding)
        length = None if is_chunked else content_length(fields)
        self._is_bodiless = self._is_bodiless or status in (204, 304)
        if not is_chunked and length is None and not self._is_bodiless:
            self._ends_with_connection = True
        self._left = 0 if self._is_bodiless else length or 0
        assert self._sink is not None
        self._sink.head(Answer(status, self._reason, fields, length))
        if self._is_bodiless:
            self._end()

    def on_body(self, piece: bytes) -> None:
        self._bytes_beside = 0
        if self._is_bodiless:
            raise ValueError("a body where there is none")
        if self._left:
            self._left -= len(piece)
        self._sink_data(piece)

    def on_message_complete(self) -> None:
        if not self._is_in_head:
            self._end()

    def _sink_data(self, piece: bytes) -> None:
        assert self._sink is not None
        self._sink.data(piece)

    def _end(self) -> None:
        if self._over is not None and not self._over.done():
            self.is_reusable = self._keeps and self.is_open and not self._ends_with_connection
            self._over.set_result(None)
            self._wake()

    def _fail(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_exception(BrokenOffError(is_unanswered=not self._has_come))
            self._wake()
        if self.is_open:
            self.abort()

    def _wake(self) -> None:
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)
