"""Who asks for nothing is let go after a while; who has asked may take all the time there is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from roar_proxy_s3.proxy.wire.inbound import Handler, Inbound
from roar_proxy_s3.proxy.wire.patience import Patience
from roar_proxy_s3.proxy.wire.request import Request

SOON, NEVER = 0.05, 3600.0
GET = b"GET /key HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = GET[:-2]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[bytes], Awaitable[Streams]]


async def echo(request: Request) -> None:
    """Answer with the body."""
    body = b"".join([piece async for piece in request.pieces()])
    request.answer(200, "OK", [("Content-Length", str(len(body)))], body)
    request.end()
    await request.flushed()


@asynccontextmanager
async def listening(patience: Patience, handle: Handler = echo) -> AsyncIterator[Dial]:
    """What dials and sends its first bytes before the server can have seen it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Inbound(handle, patience), "127.0.0.1", 0)
    writers: list[asyncio.StreamWriter] = []

    async def dial(first: bytes) -> Streams:
        dialled = socket.create_connection(server.sockets[0].getsockname())
        dialled.sendall(first)
        reader, writer = await asyncio.open_connection(sock=dialled)
        writers.append(writer)
        return reader, writer

    try:
        yield dial
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.parametrize("asked", [0, 1, 3])
def test_an_idle_connection_is_closed_without_a_word(asked: int) -> None:
    """What came unasked would be taken for the answer to the next request."""

    async def told() -> bytes:
        async with listening(Patience(SOON, NEVER)) as dial:
            reader, _ = await dial(GET * asked)
            return await reader.read()

    assert asyncio.run(told()) == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * asked


@pytest.mark.parametrize("asked", [0, 1, 3])
@pytest.mark.parametrize("half", [HALF, b"G", b"\r\nPUT /key HTTP/1.1\r\nX: "])
def test_a_head_that_never_ends_is_told_so(asked: int, half: bytes) -> None:
    async def told() -> bytes:
        async with listening(Patience(NEVER, SOON)) as dial:
            reader, _ = await dial(GET * asked + half)
            return await reader.read()

    answers = asyncio.run(told()).split(b"HTTP/1.1 ")[1:]
    assert [each[:3] for each in answers] == [b"200"] * asked + [b"408"]
    assert answers[-1].endswith(b"Connection: close\r\n\r\n")


@pytest.mark.parametrize(("before", "drop"), [(b"GET / HTTP/1.1\r\nX: ", b"x"), (b"", b"\r\n")])
def test_bytes_that_drip_gain_no_time(before: bytes, drop: bytes) -> None:
    """Nor do empty lines, which may stand before a request."""

    async def told() -> bytes:
        async with listening(Patience(SOON, SOON)) as dial:
            reader, writer = await dial(before)
            end = asyncio.ensure_future(reader.read())
            with suppress(ConnectionError):
                while not end.done():
                    writer.write(drop)
                    await writer.drain()
                    await asyncio.sleep(SOON / 10)
            with suppress(ConnectionError):
                return await end
            return b""

    assert asyncio.run(told())[:12] in (b"HTTP/1.1 408", b"")


def test_what_was_asked_for_may_take_its_time() -> None:
    """Others are let go meanwhile, which is how the test knows that the time has passed."""
    may_answer = asyncio.Event()

    async def slow(request: Request) -> None:
        if request.target == "/late":
            await may_answer.wait()
        await echo(request)

    async def told() -> list[bytes]:
        async with listening(Patience(SOON, SOON), slow) as dial:
            upload, body = await dial(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
            chunks, more = await dial(
                b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na"
            )
            # Its next head is begun, but the time of that does not run while this one is answered.
            late, rest = await dial(GET.replace(b"key", b"late") + HALF)
            for first in (HALF, b"", HALF, b""):
                other, _ = await dial(first)
                await other.read()
            body.write(b"cd")
            more.write(b"b\r\n0\r\n\r\n")
            may_answer.set()
            rest.write(GET.removeprefix(HALF))
            return [await each.read() for each in (upload, chunks, late)]

    uploaded, in_chunks, answered_late = asyncio.run(told())
    assert uploaded.endswith(b"\r\n\r\nabcd")
    assert in_chunks.endswith(b"\r\n\r\nab")
    assert answered_late.count(b" 200 OK\r\n") == 2


def test_a_slow_reader_is_given_all_of_it() -> None:
    much = bytes(16 << 20)

    async def give(request: Request) -> None:
        request.answer(200, "OK", [("Content-Length", str(len(much)))], much)
        request.end()
        await request.flushed()

    async def told() -> bytes:
        async with listening(Patience(SOON, SOON), give) as dial:
            reader, _ = await dial(GET)
            for first in (HALF, b"", HALF, b""):
                other, _ = await dial(first)
                await other.read()
            return await reader.read()

    assert asyncio.run(told()).endswith(b"\r\n\r\n" + much)


def test_refusals_that_nobody_reads_do_not_pile_up() -> None:
    """No more is heard while they are unread, and then the connection is gone."""
    answered = 0

    async def refuse(request: Request) -> None:
        nonlocal answered
        answered += 1
        request.answer(403, "No", [("Content-Length", "65536")], bytes(65536))
        request.end()

    async def sent_until_gone() -> None:
        async with listening(Patience(NEVER, SOON), refuse) as dial:
            _, writer = await dial(GET)
            with suppress(ConnectionError):
                while True:
                    writer.write(GET * 1000)
                    await writer.drain()

    asyncio.run(sent_until_gone())
    # What the kernel's buffers hold of them, and not what was asked for.
    assert answered < 1000
