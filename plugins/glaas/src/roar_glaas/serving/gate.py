"""What every request passes before the application, and every answer on its way out.

The client's address is taken from where it may be believed; the name it asks for, the number of
requests in hand and the rates are checked; the answer gets its headers, a log line and its place in
the figures. Written against ASGI, for what it refuses must cost nothing.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import Any

from litestar import Litestar

from roar_glaas.errors import Refusal, TooSlow, Unavailable
from roar_glaas.serving.hosts import Hosts
from roar_glaas.serving.logs import log_request
from roar_glaas.serving.noted import Noted, note, request_id
from roar_glaas.serving.peers import Networks, Peer, peer_of
from roar_glaas.serving.rates import Rates, counts_always, is_attempt
from roar_glaas.settings import Settings

# What watches over the server asks without limits.
_EXEMPT = ("/api/v1/health", "/ready", "/metrics")
_CLIENT_LEFT = 499  # nginx's: nobody was there to be answered
_BODY_TIMEOUTS = 10  # a whole body may take as long as ten of its pieces


class Gate:
    """An ASGI application around that of `create_app`."""

    def __init__(self, app: Litestar, settings: Settings) -> None:
        self._app: Any = app
        self._settings = settings
        self._hosts = Hosts(settings)
        self._trusted = Networks.parse(settings.trusted_proxies, "trusted_proxies")
        self._rates: Rates = app.state.rates
        self._in_hand = 0
        self._headers = _headers(settings)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        peer = peer_of(scope, self._trusted)
        scope["client"] = (peer.address, 0)
        scope["scheme"] = peer.scheme
        noted = Noted(secrets.token_hex(8), peer)
        note(scope, noted)
        token = request_id.set(noted.request_id)
        passage = _Passage(receive, send, self._settings.receive_timeout_s, self._extra(noted))
        self._in_hand += 1
        try:
            await self._answer(scope, passage, peer)
        finally:
            self._in_hand -= 1
            request_id.reset(token)
            taken_s = time.perf_counter() - started
            route = scope.get("path_template") or "(none)"
            method = scope["method"] if scope["method"] in _METHODS else "(other)"
            self._app.state.metrics.answered(method, route, passage.status, taken_s)
            if self._settings.log_requests:
                log_request(method, route, passage.status, taken_s, noted)

    async def _answer(self, scope: Any, passage: _Passage, peer: Peer) -> None:
        path = scope["path"]
        tries = is_attempt(scope["method"], path)
        try:
            self._hosts.check(scope["headers"])
            if path not in _EXEMPT:
                if self._in_hand > self._settings.max_requests_in_hand:
                    raise Unavailable("the registry has too much in hand; try again in a second")
                self._rates.request(peer.address)
            if tries:
                self._rates.attempt(peer.address)
        except Refusal as error:
            await passage.refuse(error)
            return
        await self._app(scope, passage.receive, passage.send)
        if tries and passage.status < 400 and not counts_always(path):
            self._rates.succeeded(peer.address)

    def _extra(self, noted: Noted) -> list[tuple[bytes, bytes]]:
        return [*self._headers, (b"x-request-id", noted.request_id.encode())]


class _Passage:
    """The two directions of one request: its body, in time; its answer, with headers added."""

    def __init__(
        self, receive: Any, send: Any, timeout_s: int, headers: list[tuple[bytes, bytes]]
    ) -> None:
        self._receive, self._send = receive, send
        self._timeout_s, self._headers = timeout_s, headers
        self._deadline = time.monotonic() + _BODY_TIMEOUTS * timeout_s
        self._is_whole = False
        self._status = _CLIENT_LEFT
        self._has_left = False

    @property
    def status(self) -> int:
        """The status of the answer, or that of a client who did not wait for it."""
        return _CLIENT_LEFT if self._has_left else self._status

    async def receive(self) -> Any:
        """The next piece of the body; raises TooSlow."""
        if self._is_whole:
            return await self._receive()
        wait_s = min(self._timeout_s, self._deadline - time.monotonic())
        try:
            async with asyncio.timeout(wait_s):
                event = await self._receive()
        except TimeoutError as error:
            raise TooSlow("the body of the request did not arrive in time") from error
        self._has_left = event["type"] == "http.disconnect"
        self._is_whole = not event.get("more_body", False)
        return event

    async def send(self, event: Any) -> None:
        """Pass on a piece of the answer; to its start, add what it does not say itself."""
        if event["type"] == "http.response.start":
            self._status = event["status"]
            headers = list(event.get("headers", ()))
            said = {bytes(name).lower() for name, _ in headers}
            headers += [pair for pair in self._headers if pair[0] not in said]
            if not self._is_whole and self._status >= 400:
                # The rest of a body that nobody reads would hold the connection.
                headers.append((b"connection", b"close"))
            event = {**event, "headers": headers}
        await self._send(event)

    async def refuse(self, error: Refusal) -> None:
        """Answer with a refusal, in the shape that the application gives them."""
        body = json.dumps({"detail": str(error), "error": error.code}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if error.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % error.retry_after_s))
        start = {"type": "http.response.start", "status": error.status, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def _headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """What every answer says unless its handler says something else."""
    found = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    ]
    if settings.url.startswith("https://"):
        found.append((b"strict-transport-security", b"max-age=31536000"))
    return found
