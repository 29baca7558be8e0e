"""The store's side: connections to it, requests signed anew, and in which region a bucket is."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from roar_proxy_s3.proxy import places, signatures
from roar_proxy_s3.proxy.admission import STAMP, Admitted
from roar_proxy_s3.proxy.bodies import Body
from roar_proxy_s3.proxy.settings import Credential, Settings
from roar_proxy_s3.proxy.signatures import Scope, Target

# Between the two ends of one connection only (RFC 9110, 7.6.1).
HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
    *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
}
# Said anew of each request that is signed.
_SAID_ANEW = HOP_BY_HOP | {
    *("host", "expect", "authorization", "date", "content-length", "x-amz-date"),
    *("x-amz-content-sha256", "x-amz-security-token"),
}
_SIGNED_TOO = {"host", "content-type", "content-md5"}
_SKIPPED = frozenset(("Accept", "Accept-Encoding", "User-Agent", "Content-Type"))
_BUFFER = 1 << 17
# Servers close idle connections after five seconds and more.
_KEPT_S = 4.0
_CONNECT_S = 60.0


class Store:
    """What the proxy asks. `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._regions: dict[str, str] = {}
        self._proxies = urllib.request.getproxies_environment()
        # The library has the system's certificates loaded when it is imported.
        trusted = settings.ca_bundle and ssl.create_default_context(cafile=settings.ca_bundle)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_S, ssl=trusted or True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_SKIPPED,
            read_bufsize=_BUFFER,
            max_line_size=65536,
            max_field_size=65536,
        )

    async def close(self) -> None:
        await self._session.close()

    async def send(
        self, method: str, url: str, headers: CIMultiDict[str], body: Body | None
    ) -> aiohttp.ClientResponse:
        """The answer to a request as it is given, its URL verbatim; no redirect is followed."""
        at = URL(url, encoded=True)
        return await self._session.request(
            method, at, headers=headers, data=body, allow_redirects=False, proxy=self._proxy(at)
        )

    async def send_signed(
        self,
        method: str,
        bucket: str,
        in_host: bool,
        admitted: Admitted,
        headers: CIMultiDict[str],
        body: Body | None,
    ) -> aiohttp.ClientResponse:
        """The answer to a request signed anew, where its bucket is.

        `in_host`: the request's target does not name the bucket, its host did.
        """
        region = admitted.scope.region or self._settings.region
        if bucket and places.is_regional(self._settings):
            region = await self._region(bucket, region, admitted)
        answer = await self._signed(method, bucket, in_host, region, admitted, headers, body)
        found = answer.headers.get("x-amz-bucket-region", region)
        if answer.status in (301, 307, 400) and found != region and places.is_region(found):
            self._regions[bucket] = found
            if body is None:
                answer.release()
                answer = await self._signed(method, bucket, in_host, found, admitted, headers, body)
        return answer

    async def _signed(
        self,
        method: str,
        bucket: str,
        in_host: bool,
        region: str,
        admitted: Admitted,
        headers: CIMultiDict[str],
        body: Body | None,
    ) -> aiohttp.ClientResponse:
        before = bool(bucket) and places.goes_before_host(self._settings, bucket)
        place = places.place(self._settings, region, bucket if before else None)

        def moved(target: Target) -> Target:
            path = target.path
            if before and not in_host:
                path = "/" + path.removeprefix("/").partition("/")[2]
            elif in_host and not before:
                path = f"/{quote(bucket, safe='')}{path}"
            return Target(place.base + path, target.query)

        payload = body.payload if body else signatures.EMPTY_SHA256
        signed = signed_headers(
            admitted.credential,
            admitted.token,
            admitted.scope._replace(region=region),
            method,
            moved(admitted.signed_as),
            CIMultiDict((("Host", place.host), *_kept(headers, body))),
            payload,
        )
        if body is not None and body.length is not None:
            signed["Content-Length"] = str(body.length)
        return await self.send(method, place.url(moved(admitted.target)), signed, body)

    async def _region(self, bucket: str, guess: str, admitted: Admitted) -> str:
        """The bucket's region: a body can be sent only once, so it is asked for beforehand."""
        if (known := self._regions.get(bucket)) is None:
            target = Target(f"/{quote(bucket, safe='')}", "")
            place = places.place(self._settings, guess, None)
            headers = signed_headers(
                admitted.credential,
                admitted.token,
                admitted.scope._replace(region=guess),
                "HEAD",
                Target(place.base + target.path, ""),
                CIMultiDict(Host=place.host),
                signatures.EMPTY_SHA256,
            )
            url = place.url(Target(place.base + target.path, ""))
            async with await self.send("HEAD", url, headers, None) as answer:
                known = answer.headers.get("x-amz-bucket-region", "")
            if not places.is_region(known):
                return guess
            self._regions[bucket] = known
        return known

    def _proxy(self, at: URL) -> str | None:
        found = self._proxies.get(at.scheme)
        if not found or urllib.request.proxy_bypass(at.host or ""):
            return None
        return found


def signed_headers(
    credential: Credential,
    token: str | None,
    scope: Scope,
    method: str,
    target: Target,
    headers: CIMultiDict[str],
    payload: str,
) -> CIMultiDict[str]:
    """The headers of a request, with its signature as of now."""
    stamp = datetime.now(UTC).strftime(STAMP)
    scope = scope._replace(date=stamp[:8])
    headers["X-Amz-Date"] = stamp
    headers["X-Amz-Content-SHA256"] = payload
    if token:
        headers["X-Amz-Security-Token"] = token
    names = {name.lower() for name in headers}
    signed = sorted(n for n in names if n in _SIGNED_TOO or n.startswith("x-amz-"))
    seal = signatures.signature(
        credential.secret, scope, stamp, method, target, headers.items(), signed, payload
    )
    headers["Authorization"] = (
        f"{signatures.ALGORITHM} Credential={credential.key}/{scope}, "
        f"SignedHeaders={';'.join(signed)}, Signature={seal}"
    )
    return headers


def _kept(headers: Mapping[str, str], body: Body | None) -> list[tuple[str, str]]:
    """What is said as the client said it."""
    kept: list[tuple[str, str]] = []
    is_plain = body is not None and not body.keeps_frames
    for name, value in headers.items():
        low = name.lower()
        if low in _SAID_ANEW or (is_plain and low == "x-amz-decoded-content-length"):
            continue
        if is_plain and low == "content-encoding":
            codings = [each.strip() for each in value.split(",")]
            value = ",".join(each for each in codings if each != "aws-chunked")
            if not value:
                continue
        kept.append((name, value))
    return kept
