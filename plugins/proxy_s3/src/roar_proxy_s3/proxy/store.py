"""The store's side: requests signed anew, and in which region a bucket is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from roar_proxy_s3.proxy import places, signatures
from roar_proxy_s3.proxy.admission import STAMP, Admitted
from roar_proxy_s3.proxy.bodies import Body
from roar_proxy_s3.proxy.settings import Credential, Settings
from roar_proxy_s3.proxy.signatures import Scope, Target
from roar_proxy_s3.proxy.wire.fields import HOP_BY_HOP, Answer, Fields, Pair
from roar_proxy_s3.proxy.wire.outbound import Pausable, Sink
from roar_proxy_s3.proxy.wire.pool import Connections, Origin

# Said anew of each request that is signed.
_SAID_ANEW = HOP_BY_HOP | {
    *("host", "expect", "authorization", "date", "content-length", "x-amz-date"),
    *("x-amz-content-sha256", "x-amz-security-token"),
}
_SIGNED_TOO = frozenset(("host", "content-type", "content-md5"))
_REGION = "x-amz-bucket-region"


class ToSign(NamedTuple):
    """An admitted request. `in_host`: its target does not name the bucket, its host did."""

    method: str
    bucket: str
    in_host: bool
    admitted: Admitted
    fields: Fields
    body: Body | None


class Store:
    """What the proxy asks. `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._regions: dict[str, str] = {}
        self._connections = Connections(settings.ca_bundle)

    def close(self) -> None:
        self._connections.close()

    async def send(
        self,
        method: str,
        origin: Origin,
        target: Target,
        fields: list[Pair],
        body: Body | None,
        sink: Sink,
    ) -> None:
        """Send a request as it is given, its target verbatim; no redirect is followed."""
        await self._connections.exchange(origin, method, str(target), fields, body, sink)

    async def send_signed(self, wanted: ToSign, sink: Sink) -> None:
        """Send a request signed anew, where its bucket is."""
        bucket, admitted = wanted.bucket, wanted.admitted
        region = admitted.scope.region or self._settings.region
        if bucket and places.is_regional(self._settings):
            region = await self._region(bucket, region, admitted)
        asked = _AskedIn(region, sink, is_last=wanted.body is not None)
        await self._signed(wanted, region, asked)
        if asked.elsewhere:
            region = self._regions[bucket] = asked.elsewhere
            if not asked.is_last:
                await self._signed(wanted, region, sink)

    async def _signed(self, wanted: ToSign, region: str, sink: Sink) -> None:
        bucket, admitted, body = wanted.bucket, wanted.admitted, wanted.body
        before = bool(bucket) and places.goes_before_host(self._settings, bucket)
        place = places.place(self._settings, region, bucket if before else None)

        def moved(target: Target) -> Target:
            path = target.path
            if before and not wanted.in_host:
                path = "/" + path.removeprefix("/").partition("/")[2]
            elif wanted.in_host and not before:
                path = f"/{quote(bucket, safe='')}{path}"
            return Target(place.base + path, target.query)

        signed = signed_fields(
            admitted.credential,
            admitted.token,
            admitted.scope._replace(region=region),
            wanted.method,
            moved(admitted.signed_as),
            [("Host", place.origin.host), *_kept(wanted.fields, body)],
            body.payload if body else signatures.EMPTY_SHA256,
        )
        if body is not None and body.length is not None:
            signed.append(("Content-Length", str(body.length)))
        await self.send(wanted.method, place.origin, moved(admitted.target), signed, body, sink)

    async def _region(self, bucket: str, guess: str, admitted: Admitted) -> str:
        """The bucket's region: a body can be sent only once, so it is asked for beforehand."""
        if (known := self._regions.get(bucket)) is None:
            place = places.place(self._settings, guess, None)
            target = Target(f"{place.base}/{quote(bucket, safe='')}", "")
            signed = signed_fields(
                admitted.credential,
                admitted.token,
                admitted.scope._replace(region=guess),
                "HEAD",
                target,
                [("Host", place.origin.host)],
                signatures.EMPTY_SHA256,
            )
            told = _AskedIn("", None, is_last=True)
            await self.send("HEAD", place.origin, target, signed, None, told)
            if not told.elsewhere:
                return guess
            known = self._regions[bucket] = told.elsewhere
        return known


class _AskedIn:
    """Hands an answer on, unless it only tells that the bucket is `elsewhere`.

    `is_last`: such an answer is handed on, too, since the request cannot be sent again.
    """

    def __init__(self, region: str, sink: Sink | None, is_last: bool) -> None:
        self._region, self._sink, self.is_last = region, sink, is_last
        self.elsewhere = ""

    def fed_by(self, source: Pausable | None) -> None:
        if self._sink is not None:
            self._sink.fed_by(source)

    def head(self, answer: Answer) -> None:
        found = answer.fields.get(_REGION)
        # Of a look at a bucket, whatever the answer, this is what was asked for.
        is_told = self._sink is None or answer.status in (301, 307, 400)
        if is_told and found not in ("", self._region) and places.is_region(found):
            self.elsewhere = found
            if not self.is_last:
                self._sink = None
        if self._sink is not None:
            self._sink.head(answer)

    def data(self, piece: bytes) -> None:
        if self._sink is not None:
            self._sink.data(piece)


def signed_fields(
    credential: Credential,
    token: str | None,
    scope: Scope,
    method: str,
    target: Target,
    fields: list[Pair],
    payload: str,
) -> list[Pair]:
    """The header fields of a request, with its signature as of now."""
    stamp = _stamp(int(time.time()))
    scope = scope._replace(date=stamp[:8])
    fields += (("X-Amz-Date", stamp), ("X-Amz-Content-SHA256", payload))
    if token:
        fields.append(("X-Amz-Security-Token", token))
    names = {name.lower() for name, _ in fields}
    signed = sorted(n for n in names if n in _SIGNED_TOO or n.startswith("x-amz-"))
    seal = signatures.signature(
        credential.secret, scope, stamp, method, target, fields, signed, payload
    )
    says = f"{signatures.ALGORITHM} Credential={credential.key}/{scope}"
    says = f"{says}, SignedHeaders={';'.join(signed)}, Signature={seal}"
    return [*fields, ("Authorization", says)]


@lru_cache(maxsize=4)
def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(STAMP)


def _kept(fields: Iterable[Pair], body: Body | None) -> list[Pair]:
    """What is said as the client said it."""
    kept: list[Pair] = []
    is_plain = body is not None and not body.keeps_frames
    for name, value in fields:
        low = name.lower()
        if low in _SAID_ANEW or (is_plain and low == "x-amz-decoded-content-length"):
            continue
        said = value
        if is_plain and low == "content-encoding":
            codings = [each.strip() for each in value.split(",")]
            said = ",".join(each for each in codings if each != "aws-chunked")
            if not said:
                continue
        kept.append((name, said))
    return kept
