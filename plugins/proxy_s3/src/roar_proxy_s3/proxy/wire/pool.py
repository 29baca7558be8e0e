"""Connections to stores: kept while they are of use, and made through an HTTP proxy if so set."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from roar_proxy_s3.proxy.wire.fields import Answer, Pair, request_head
from roar_proxy_s3.proxy.wire.outbound import BrokenOffError, Outbound, Pausable, Sink

# Servers close idle connections after five seconds and more.
_KEPT_S = 4.0
_CONNECT_S = 60.0
_EYEBALLS_S = 0.25  # RFC 8305, section 8


class UnreachableError(OSError):
    """No connection to a store could be made. The message names host and port only."""


class Origin(NamedTuple):
    """Whom to talk to. `host` as in a URL: with a port, where that is not the scheme's."""

    scheme: str
    host: str

    @property
    def address(self) -> tuple[str, int]:
        """Raises ValueError when the port is no number."""
        at = urlsplit(f"//{self.host}")
        return at.hostname or "", at.port or (443 if self.scheme == "https" else 80)


class Sent(Protocol):
    """A request's body. `length` None: in chunks. `is_begun`: it cannot be sent again.

    `is_handed_on`: it is sent as it comes, so that `hand_to` will do, which is faster.
    """

    length: int | None

    @property
    def is_begun(self) -> bool: ...

    @property
    def is_handed_on(self) -> bool: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def hand_to(self, take: Callable[[bytes], bool]) -> None: ...

    def go_on(self) -> None: ...

    def stop(self) -> None: ...


class Connections:
    """All of them. `close` them."""

    def __init__(self, ca_bundle: str | None) -> None:
        self._ca_bundle = ca_bundle
        self._idle: dict[Origin, list[Outbound]] = {}
        self._proxies = _proxies()
        self._trust: ssl.SSLContext | None = None

    async def exchange(
        self,
        origin: Origin,
        method: str,
        target: str,
        fields: list[Pair],
        body: Sent | None,
        sink: Sink,
    ) -> None:
        """Send a request; `sink` is given its answer, which is whole on return.

        Raises BrokenOffError, UnreachableError, ValueError (an address that is none), and what
        reading the body raises.
        """
        proxy = self._proxy(origin)
        if proxy is not None and origin.scheme == "http":
            target = f"http://{origin.host}{target}"
            fields = [*fields, *_authorization(proxy)]
        if body is not None and body.length is None:
            fields = [*fields, ("Transfer-Encoding", "chunked")]
        elif body is None and method in ("PUT", "POST"):
            # Stores want to be told, which clients need not do.
            fields = [pair for pair in fields if pair[0].lower() != "content-length"]
            fields.append(("Content-Length", "0"))
        head = request_head(method, target, fields)
        while True:
            kept = self._kept(origin)
            connection = kept or await self._dialled(origin, proxy)
            try:
                await _exchanged(connection, head, body, sink, method == "HEAD")
            except BrokenOffError as error:
                # A kept connection may have been closed meanwhile; the request was not looked at.
                is_begun = body is not None and body.is_begun
                if kept is None or is_begun or not error.is_unanswered:
                    raise
                continue
            if connection.is_open:
                connection.idle_since = asyncio.get_running_loop().time()
                self._idle.setdefault(origin, []).append(connection)
            return

    def close(self) -> None:
        """Close those that are not in use."""
        for kept in self._idle.values():
            for connection in kept:
                connection.abort()
        self._idle.clear()

    def _kept(self, origin: Origin) -> Outbound | None:
        kept = self._idle.get(origin)
        oldest = asyncio.get_running_loop().time() - _KEPT_S
        while kept:
            connection = kept.pop()
            if connection.is_open and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    async def _dialled(self, origin: Origin, proxy: str | None) -> Outbound:
        try:
            return await asyncio.wait_for(self._connected(origin, proxy), _CONNECT_S)
        except OSError as error:
            why = "it took too long" if isinstance(error, TimeoutError) else error
            raise UnreachableError(f"{origin.host}: {why}") from error

    async def _connected(self, origin: Origin, proxy: str | None) -> Outbound:
        loop = asyncio.get_running_loop()
        host, port = origin.address
        trust = self._trusted() if origin.scheme == "https" else None
        if proxy is None:
            _, connection = await loop.create_connection(
                Outbound, host, port, ssl=trust, happy_eyeballs_delay=_EYEBALLS_S
            )
            return connection
        at = urlsplit(proxy)
        if at.scheme != "http":
            raise OSError(f"roar's proxy uses HTTP proxies by http:// only, not {at.scheme}://")
        _, connection = await loop.create_connection(Outbound, at.hostname or "", at.port or 80)
        if trust is not None:
            await _tunnelled(connection, f"{host}:{port}", proxy)
            plain = connection.transport
            secured = await loop.start_tls(plain, connection, trust, server_hostname=host)
            assert secured is not None
            connection.connection_made(secured)
        return connection

    def _proxy(self, origin: Origin) -> str | None:
        found = self._proxies.get(origin.scheme)
        if not found:
            return None
        from urllib.request import proxy_bypass

        return None if proxy_bypass(origin.address[0]) else found

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = ssl.create_default_context(cafile=self._ca_bundle)
        return self._trust


def _proxies() -> dict[str, str]:
    """The HTTP proxies that the environment names, by scheme."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return {}
    # Slow to import.
    from urllib.request import getproxies_environment

    return getproxies_environment()


async def _exchanged(
    connection: Outbound, head: bytes, body: Sent | None, sink: Sink, is_bodiless: bool
) -> None:
    over = connection.begin(head, sink, is_bodiless)
    is_sent = body is None
    try:
        if body is not None:
            # An answer that comes early is an answer all the same.
            over.add_done_callback(lambda _: body.stop())
            is_sent = await _sent(connection, body, over)
        await over
    finally:
        sink.fed_by(None)
        if not over.done():
            over.cancel()
        elif not over.cancelled():
            over.exception()
        if not (is_sent and connection.is_reusable):
            connection.abort()


async def _sent(connection: Outbound, body: Sent, over: asyncio.Future[None]) -> bool:
    """Send a body; whether all of it was, before there was an answer."""
    is_chunked = body.length is None
    if body.is_handed_on and not is_chunked:
        connection.room = body.go_on
        await body.hand_to(connection.write)
        connection.room = None
        return not over.done()
    async for piece in body:
        if over.done():
            return False
        if connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece):
            await connection.drained()
    if over.done():
        return False
    if is_chunked:
        connection.write(b"0\r\n\r\n")
    return True


class _Told:
    """Keeps an answer's head."""

    status = 0

    def fed_by(self, source: Pausable | None) -> None:
        """Nothing of it is kept, so nobody need be paused."""

    def head(self, answer: Answer) -> None:
        self.status = answer.status

    def data(self, piece: bytes) -> None:
        """Nothing of a tunnel's answer matters but its status."""


async def _tunnelled(connection: Outbound, to: str, proxy: str) -> None:
    """Have the proxy lead to a store whose TLS it does not see."""
    told = _Told()
    head = request_head("CONNECT", to, [("Host", to), *_authorization(proxy)])
    await connection.begin(head, told, is_bodiless=True)
    if told.status != 200:
        connection.abort()
        raise OSError(f"the HTTP proxy answered {told.status}")


def _authorization(proxy: str) -> list[Pair]:
    at = urlsplit(proxy)
    if at.username is None:
        return []
    both = f"{unquote(at.username)}:{unquote(at.password or '')}".encode()
    return [("Proxy-Authorization", f"Basic {base64.b64encode(both).decode()}")]
