"""One request through the proxy: admitted, sent on, its answer sent back, and told as a fact."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
import attrs
from aiohttp import web
from multidict import CIMultiDict

from roar_proxy_s3.proxy.admission import admitted
from roar_proxy_s3.proxy.bodies import Body, object_length
from roar_proxy_s3.proxy.hosts import bucket_in
from roar_proxy_s3.proxy.operations import operation
from roar_proxy_s3.proxy.refusals import Refusal, denied, invalid, unavailable
from roar_proxy_s3.proxy.settings import Settings
from roar_proxy_s3.proxy.signatures import Target
from roar_proxy_s3.proxy.store import HOP_BY_HOP, Store
from roar_proxy_s3.proxy.telling import Passage, Teller

RUN, ORIGIN = "Roar-Run", "Roar-Origin"
_SMALL = 65536
_OWN = frozenset((RUN.lower(), ORIGIN.lower()))


@attrs.define
class Relay:
    """Answers requests. `port` is the proxy's own; `under_way` counts those not yet ended."""

    settings: Settings
    store: Store
    teller: Teller
    port: int = 0
    under_way: int = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.under_way += 1
        try:
            return await self._answered(request)
        finally:
            self.under_way -= 1

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            passage, answer = await self._sent(request)
        except Refusal as refusal:
            return _refused(request, refusal)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError from error
            return _refused(request, _why(error))
        async with answer:
            return await self._returned(request, answer, passage)

    async def _sent(self, request: web.BaseRequest) -> tuple[Passage, aiohttp.ClientResponse]:
        path, _, query = request.raw_path.partition("?")
        if not path.startswith("/"):
            raise invalid("roar's proxy is an S3 endpoint, not an HTTP proxy")
        target, host = Target(path, query), request.headers.get("Host", "").lower()
        if not self._is_own(host):
            return await self._passed_through(request, target, host)
        named = host.removesuffix(f":{self.port}").removesuffix("localhost").removesuffix(".")
        bucket = None if named in ("", "127.0.0.1") else named
        good = admitted(
            request.method,
            target,
            request.headers,
            request.headers.items(),
            self.settings.credentials,
            datetime.now(UTC),
        )
        what = operation(request.method, bucket, path, query, request.headers)
        passage = self.teller.passage(what, object_length(request))
        body = Body(request, passage.sent) if request.body_exists else None
        if body is not None:
            body.resign(good)
        try:
            answer = await self.store.send_signed(
                request.method,
                what.bucket,
                bucket is not None,
                good,
                CIMultiDict(request.headers),
                body,
            )
        except aiohttp.ClientError as error:
            if body is not None and body.failure is not None:
                raise body.failure from error
            raise
        return passage, answer

    async def _passed_through(
        self, request: web.BaseRequest, target: Target, host: str
    ) -> tuple[Passage, aiohttp.ClientResponse]:
        given = request.headers.get(RUN, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self.settings.secret.encode()):
            raise denied(
                f"roar's proxy answers only the run that it was started for, at 127.0.0.1:"
                f"{self.port}, and not for {host[:256]!r}"
            )
        origin = urlsplit(request.headers.get(ORIGIN, ""))
        if origin.scheme not in ("http", "https") or origin.netloc.lower() != host:
            raise denied(f"{ORIGIN} must be the URL that the request was signed for")
        bucket = bucket_in(host, self.settings.endpoint)
        what = operation(request.method, bucket, target.path, target.query, request.headers)
        passage = self.teller.passage(what, object_length(request))
        body = Body(request, passage.sent) if request.body_exists else None
        headers = CIMultiDict(
            (name, value)
            for name, value in request.headers.items()
            if (low := name.lower()) not in HOP_BY_HOP and low not in _OWN and low != "expect"
        )
        url = f"{origin.scheme}://{origin.netloc}{target}"
        return passage, await self.store.send(request.method, url, headers, body)

    def _is_own(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        is_here = name in ("127.0.0.1", "localhost") or name.endswith(".localhost")
        return is_here and port == str(self.port)

    async def _returned(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, passage: Passage
    ) -> web.StreamResponse:
        status, reason, headers = answer.status, answer.reason, _end_to_end(answer.headers)
        response: web.StreamResponse
        length = answer.content_length
        if length and length <= _SMALL and request.method != "HEAD":
            # In one system call with the headers: these are half of what a small request costs.
            try:
                body = await answer.read()
            except aiohttp.ClientError as error:
                return _refused(request, _why(error))
            response = web.Response(status=status, reason=reason, headers=headers, body=body)
            passage.answered(status, answer.headers)
            passage.came(body)
        else:
            response = web.StreamResponse(status=status, reason=reason, headers=headers)
            passage.answered(status, answer.headers)
        is_all = False
        try:
            await response.prepare(request)
            if not isinstance(response, web.Response):
                async for piece in answer.content.iter_any():
                    passage.came(piece)
                    await response.write(piece)
            await response.write_eof()
            is_all = True
        except aiohttp.ClientError as error:
            # The store's end of the connection broke: so does ours.
            raise ConnectionResetError from error
        finally:
            passage.ended(is_all)
        return response


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((n, v) for n, v in headers.items() if n.lower() not in HOP_BY_HOP)


def _refused(request: web.BaseRequest, refusal: Refusal) -> web.StreamResponse:
    response = refusal.response()
    if not request.content.is_eof():
        # What is left of the body is not the next request.
        response.force_close()
    return response


def _why(error: Exception) -> Refusal:
    """What to tell of a store that gave no answer. The errors' texts hold host and port only."""
    if isinstance(error, ValueError):
        return invalid("the request cannot be sent to the store")
    if isinstance(error, aiohttp.ClientConnectorError):
        return unavailable(f"the store does not answer: {error}")
    return unavailable("the store broke the connection off")
