"""Connections of clients: each request is handed to a coroutine, one after the other."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import httptools

from roar_proxy_s3.proxy.wire.fields import CODING, Fields, Pair, text
from roar_proxy_s3.proxy.wire.outbound import Pausable
from roar_proxy_s3.proxy.wire.patience import PATIENCE, Deadline, Patience
from roar_proxy_s3.proxy.wire.receiving import opened
from roar_proxy_s3.proxy.wire.request import Request

# Of a head; S3 takes 8 KiB, and a URL that is presigned by a role some.
_MOST_HEAD = 1 << 17
_MOST_WAITING = 16
# A client that still sends when it is answered must be let read why.
_LINGER_S = 2.0
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n"
_BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Task = asyncio.Task[None]
D = TypeVar("D", bytes, memoryview)
Handler = Callable[[Request], Awaitable[None]]


class Inbound(asyncio.Protocol):
    """One client's connection. `handle` answers a request, and returns when that is done."""

    def __init__(self, handle: Handler, patience: Patience = PATIENCE) -> None:
        self._handle, self._patience = handle, patience
        self._deadline = Deadline(self._late)
        self._loop = asyncio.get_running_loop()
        self._waiting = deque[Request]()
        self._current: Task | None = None
        self._reading: Request | None = None
        self._target, self._pairs = b"", list[Pair]()
        # What has come since the last of a body, or since the last request.
        self._bytes_beside = 0
        self._left = 0
        self._is_lingering = self._is_paused = self._is_full = False
        # Of the next request: whether some of its head has come, and whether its time runs.
        self._is_in_head = self._is_head_timed = False
        self._source: Pausable | None = None
        self._flush: asyncio.Future[None] | None = None
        self._parser = httptools.HttpRequestParser(self)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = opened(transport)
        self._wait_for_client()

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            return
        if self._left:
            data = self._take_body(data)
        if data:
            self._parse(memoryview(data))

    def _take_body(self, data: D) -> D:
        """Within a body of known length is nothing to parse; what is behind it."""
        piece, rest = data[: self._left], data[self._left :]
        self._left -= len(piece)
        self._feed(bytes(piece))
        if not self._left:
            self._parser = httptools.HttpRequestParser(self)
            self.on_message_complete()
        return rest

    def _parse(self, data: memoryview) -> None:
        self._bytes_beside += len(data)
        while data and not self._is_lingering:
            try:
                self._parser.feed_data(data)
                data = data[len(data) :]
            except httptools.HttpParserUpgrade as wish:
                # Nobody need heed the wish for another protocol: what follows is in this one.
                self._parser, data = httptools.HttpRequestParser(self), data[wish.args[0] :]
                if self._left:
                    data = self._take_body(data)
            except httptools.HttpParserError:
                if not self._is_lingering:
                    self._refuse(_BAD)
                return
        if self._bytes_beside > _MOST_HEAD and not self._is_lingering:
            self._refuse(_TOO_LARGE)
        elif self._is_in_head and not self._is_head_timed and self._current is None:
            self._wait_for_client()

    def eof_received(self) -> bool:
        # Who has sent all of a request may still wait for its answer.
        is_waited_for = self._current is not None and self._reading is None
        if is_waited_for:
            self._is_lingering = True
        return is_waited_for

    def connection_lost(self, error: Exception | None) -> None:
        self._deadline.end()
        if self._current is not None:
            self._current.cancel()
        self._waiting.clear()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._is_full = True
        if self._source is not None:
            self._source.pause()

    def resume_writing(self) -> None:
        self._is_full = False
        if self._source is not None:
            self._source.resume()
        if self._flush is not None and not self._flush.done():
            self._flush.set_result(None)

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._is_in_head = True

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading is None:
            # Those behind a body in chunks are no part of the next request.
            self._pairs.append((text(name), text(value)))

    def on_headers_complete(self) -> None:
        if self._is_lingering:
            raise ValueError("a request behind the last one")
        method = self._parser.get_method().decode()
        fields, target = Fields(self._pairs), text(self._target)
        is_old = self._parser.get_http_version() != "1.1"
        _check(fields, is_old, self._parser.should_upgrade())
        keeps = self._parser.should_keep_alive() and not is_old
        request = Request(self, method, target, fields, is_old, is_last=not keeps)
        self._target, self._pairs, self._bytes_beside = b"", [], 0
        self._is_in_head = self._is_head_timed = False
        self._reading = request
        # Of a body in chunks the parser alone knows the end.
        self._left = 0 if CODING in fields else request.length or 0
        self._waiting.append(request)
        if len(self._waiting) > _MOST_WAITING:
            self._pause()
        if self._current is None:
            self._begin()

    def on_body(self, piece: bytes) -> None:
        self._bytes_beside = 0
        if self._left:
            self._left -= len(piece)
        self._feed(piece)

    def _feed(self, piece: bytes) -> None:
        assert self._reading is not None
        if self._reading.feed(piece):
            self._pause()

    def on_message_complete(self) -> None:
        if self._left:
            # To the parser, a request that wishes for another protocol has no body.
            return
        self._bytes_beside = 0
        if self._reading is not None:
            self._reading.feed_end()
            self._reading = None

    # What requests call.

    def write(self, piece: bytes) -> None:
        self._transport.write(piece)

    def read_on(self, request: Request) -> None:
        """Take more of a body, of which all that had come was used."""
        if self._is_paused and request is self._reading:
            self._resume()

    def fed_by(self, source: Pausable | None) -> None:
        if self._source is not None:
            self._source.resume()
        self._source = source
        if source is not None and self._is_full:
            source.pause()

    async def flushed(self) -> None:
        if not self._transport.get_write_buffer_size():
            return
        self._transport.set_write_buffer_limits(0)
        if self._is_full:
            self._flush = self._loop.create_future()
            await self._flush
        self._transport.set_write_buffer_limits()
        if self._transport.is_closing():
            raise ConnectionResetError

    # One request after the other.

    def _begin(self) -> None:
        self._deadline.lift()
        task = _begun(self._answer_waiting(), self._loop)
        # It may be over already, where tasks begin at once.
        if not task.done():
            self._current = task

    async def _answer_waiting(self) -> None:
        is_done = False
        try:
            while self._waiting and not self._transport.is_closing():
                request = self._waiting.popleft()
                await self._handle(request)
                self._source = None
                if self._is_full:
                    # What was asked for was taken: these are refusals, which nobody reads.
                    async with asyncio.timeout(self._patience.head_s):
                        await self.flushed()
                if request.ends_connection or (self._is_lingering and not self._waiting):
                    self._end(request)
                    break
                if self._is_paused and len(self._waiting) < _MOST_WAITING:
                    self._resume()
            is_done = True
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            return
        finally:
            self._current = self._source = None
            if not is_done:
                # Whatever it was, its client must not wait for ever.
                self._transport.abort()
            elif not self._is_lingering:
                self._wait_for_client()

    def _wait_for_client(self) -> None:
        """Nothing is under way: it is for the client to ask, or to end what it has begun."""
        self._is_head_timed = self._is_in_head
        patience = self._patience
        self._deadline.set(patience.head_s if self._is_in_head else patience.between_s)

    def _late(self) -> None:
        if self._transport.is_closing():
            self._transport.abort()
        elif self._is_in_head:
            self._refuse(_LATE)
        else:
            self._transport.close()

    def _end(self, request: Request) -> None:
        """Close, but not before the client could read what it was told."""
        is_heard = request.is_read or self._is_lingering
        self._is_lingering = True
        if not request.is_ended:
            self._transport.abort()
        elif is_heard:
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self._deadline.set(self._patience.head_s)
        else:
            self._resume()
            self._linger()

    def _linger(self) -> None:
        """Close once the client has: to close on what it still sends would take the answer away."""
        self._is_lingering = True
        self._transport.write_eof()
        self._loop.call_later(_LINGER_S, self._transport.close)

    def _refuse(self, answer: bytes) -> None:
        """What is no HTTP is told so, and is not listened to any more."""
        if self._reading is not None:
            # Nobody can answer the half of a request.
            self._transport.abort()
        elif self._current is not None:
            # What came before it is answered.
            self._is_lingering = True
        else:
            self._deadline.end()
            self._transport.write(answer)
            self._linger()

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()


def _begun(work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> Task:
    """A task whose first steps are taken at once, where Python can, not in the loop's next turn.

    Only these: asyncio's own race of a host's addresses fails in an eager task factory's tasks
    before Python 3.12.8 and in 3.13.0 (https://github.com/python/cpython/issues/124309).
    """
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    return loop.create_task(work)


def _check(fields: Fields, is_old: bool, is_upgrade: bool) -> None:
    """Refuse what two readers could understand in two ways (RFC 9112, 3.2, 6.1 and 11.2).

    Of lengths the parser has seen to that. Raises ValueError.
    """
    names = [name.lower() for name, _ in fields]
    codings = [value.strip().lower() for name, value in fields if name.lower() == CODING]
    if names.count("host") > 1 or codings not in ([], ["chunked"]):
        raise ValueError("a request of two meanings")
    if codings and (is_old or is_upgrade):
        raise ValueError("a request of two meanings")
