"""Raw sockets at both ends of the wire: stores that answer, and clients that send, any bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from roar_proxy_s3.proxy.wire.fields import Answer, Fields
from roar_proxy_s3.proxy.wire.inbound import Inbound
from roar_proxy_s3.proxy.wire.outbound import Pausable
from roar_proxy_s3.proxy.wire.pool import Connections, Origin
from roar_proxy_s3.proxy.wire.request import Request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Told:
    """An answer, kept."""

    def __init__(self) -> None:
        self.status, self.fields, self.body = 0, Fields(), b""

    def fed_by(self, source: Pausable | None) -> None:
        """So little need not be paused."""

    def head(self, answer: Answer) -> None:
        self.status, self.fields = answer.status, answer.fields

    def data(self, piece: bytes) -> None:
        self.body += piece


class Sent:
    """A body that never ends by itself."""

    length, is_begun, is_handed_on = 1 << 30, False, False

    def __init__(self) -> None:
        self._is_over = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.is_begun = True
        yield b"first"
        await self._is_over.wait()

    async def hand_to(self, take: Callable[[bytes], bool]) -> None:
        raise NotImplementedError

    def go_on(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._is_over.set()


@asynccontextmanager
async def served(serve: Served, **more: Any) -> AsyncIterator[int]:
    """The port of a server, of which no connection is left afterwards."""
    writers: list[asyncio.StreamWriter] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)

    server = await asyncio.start_server(one, "127.0.0.1", 0, **more)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def exchanged(
    serve: Served, count: int = 1, body: bool = False, method: str = ""
) -> list[tuple[int, bytes]]:
    """What is made of the answers of a store that is served so."""
    found = heard(serve, count, body, method)
    return [(told.status, told.body) for told in found]


def heard(serve: Served, count: int = 1, body: bool = False, method: str = "") -> list[Told]:
    """The same with their heads."""
    method = method or ("PUT" if body else "GET")

    async def all_of_it() -> list[Told]:
        async with served(serve) as port:
            origin = Origin("http", f"127.0.0.1:{port}")
            connections, found = Connections(None), []
            for _ in range(count):
                told, sent = Told(), Sent() if body else None
                await connections.exchange(origin, method, "/", [("Host", "store")], sent, told)
                found.append(told)
            connections.close()
        return found

    return asyncio.run(all_of_it())


def answers(*raw: bytes) -> Served:
    """A store that answers the requests of each connection so, and then closes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in raw:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(each)
            await writer.drain()
        writer.close()

    return serve


def asked(*raw: bytes) -> bytes:
    """All that a client is answered which sends this; each request by its own target."""
    return taken(*raw)[0]


def taken(*raw: bytes, is_chunked: bool = False) -> tuple[bytes, list[Request]]:
    """The same, and the requests that were understood. A reset is an answer of nothing more."""
    understood: list[Request] = []

    async def handle(request: Request) -> None:
        understood.append(request)
        body = b"".join([piece async for piece in request.pieces()])
        said = request.target.encode() + body
        if is_chunked:
            request.answer_chunked(200, "OK", [])
            request.write(said)
        else:
            request.answer(200, "OK", [("Content-Length", str(len(said)))], said)
        request.end()

    async def all_of_it() -> tuple[bytes, list[Request]]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Inbound(handle), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        found = b""
        with suppress(ConnectionError):
            for each in raw:
                writer.write(each)
                await writer.drain()
            writer.write_eof()
            while piece := await reader.read(65536):
                found += piece
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        server.close()
        return found, understood

    return asyncio.run(all_of_it())
