"""One request through the proxy: admitted, sent on, its answer sent back, and told as a fact."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from urllib.parse import urlsplit

import attrs

from roar_proxy_s3.proxy.admission import admitted
from roar_proxy_s3.proxy.bodies import Body, object_length
from roar_proxy_s3.proxy.hosts import bucket_in
from roar_proxy_s3.proxy.operations import Operation, operation
from roar_proxy_s3.proxy.refusals import Refusal, denied, invalid, unavailable
from roar_proxy_s3.proxy.returning import Returning
from roar_proxy_s3.proxy.settings import Settings
from roar_proxy_s3.proxy.signatures import Target
from roar_proxy_s3.proxy.store import Store, ToSign
from roar_proxy_s3.proxy.telling import Teller
from roar_proxy_s3.proxy.wire.fields import HOP_BY_HOP, Fields
from roar_proxy_s3.proxy.wire.outbound import BrokenOffError
from roar_proxy_s3.proxy.wire.pool import Origin, UnreachableError
from roar_proxy_s3.proxy.wire.request import Request

RUN, ORIGIN = "Roar-Run", "Roar-Origin"
_NOT_PASSED = HOP_BY_HOP | {RUN.lower(), ORIGIN.lower(), "expect"}


@attrs.define
class Relay:
    """Answers requests. `port` is the proxy's own; `under_way` counts those not yet ended."""

    settings: Settings
    store: Store
    teller: Teller
    port: int = 0
    under_way: int = 0

    async def __call__(self, request: Request) -> None:
        self.under_way += 1
        try:
            await self._answered(request)
        except Refusal as refusal:
            _refuse(request, refusal)
        except (BrokenOffError, UnreachableError, ValueError) as error:
            _refuse(request, _why(error))
        finally:
            self.under_way -= 1

    async def _answered(self, request: Request) -> None:
        path, _, query = request.target.partition("?")
        if not path.startswith("/"):
            raise invalid("roar's proxy is an S3 endpoint, not an HTTP proxy")
        target, host = Target(path, query), request.fields.get("Host").lower()
        if self._is_own(host):
            await self._sign_anew(request, target, host)
        else:
            await self._pass_through(request, target, host)

    async def _sign_anew(self, request: Request, target: Target, host: str) -> None:
        named = host.removesuffix(f":{self.port}").removesuffix("localhost").removesuffix(".")
        bucket = None if named in ("", "127.0.0.1") else named
        now, known = datetime.now(UTC), self.settings.credentials
        good = admitted(request.method, target, request.fields, known, now)
        what = operation(request.method, bucket, target.path, target.query, request.fields)
        async with self._returning(request, what) as back:
            body = Body(request, back.passage.sent) if request.has_body else None
            if body is not None:
                body.resign(good)
            wanted = ToSign(
                request.method, what.bucket, bucket is not None, good, request.fields, body
            )
            await self.store.send_signed(wanted, back)

    async def _pass_through(self, request: Request, target: Target, host: str) -> None:
        origin = self._origin(request.fields, host)
        bucket = bucket_in(host, self.settings.endpoint)
        what = operation(request.method, bucket, target.path, target.query, request.fields)
        fields = [pair for pair in request.fields if pair[0].lower() not in _NOT_PASSED]
        async with self._returning(request, what) as back:
            body = Body(request, back.passage.sent) if request.has_body else None
            await self.store.send(request.method, origin, target, fields, body, back)

    def _returning(self, request: Request, what: Operation) -> Returning:
        return Returning(request, self.teller.passage(what, object_length(request)))

    def _origin(self, fields: Fields, host: str) -> Origin:
        """Where a request goes that is passed through. Raises Refusal if it may not be."""
        given = fields.get(RUN).encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self.settings.secret.encode()):
            raise denied(
                f"roar's proxy answers only the run that it was started for, at 127.0.0.1:"
                f"{self.port}, and not for {host[:256]!r}"
            )
        origin = urlsplit(fields.get(ORIGIN))
        if origin.scheme not in ("http", "https") or origin.netloc.lower() != host:
            raise denied(f"{ORIGIN} must be the URL that the request was signed for")
        return Origin(origin.scheme, origin.netloc)

    def _is_own(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        is_here = name in ("127.0.0.1", "localhost") or name.endswith(".localhost")
        return is_here and port == str(self.port)


def _refuse(request: Request, refusal: Refusal) -> None:
    if request.is_answered:
        # The client has the half of an answer: it must not take that for the whole.
        raise ConnectionResetError from refusal
    body = refusal.body()
    is_head = request.method == "HEAD"
    request.answer(refusal.status, refusal.code, refusal.fields(body), None if is_head else body)
    request.end()


def _why(error: Exception) -> Refusal:
    """What to tell of a store that gave no answer. The errors' texts hold host and port only."""
    if isinstance(error, ValueError):
        return invalid("the request cannot be sent to the store")
    if isinstance(error, UnreachableError):
        return unavailable(f"the store does not answer: {error}")
    return unavailable(str(error))
