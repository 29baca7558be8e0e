"""What web servers give: https, and http with nothing that keeps it from being changed on the way.

An object is asked for with `Range`, so that one request tells its size, its version and whether
parts of it can be had; nothing is asked with HEAD, which signed URLs do not allow.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from roar_core import __version__
from roar_core.errors import NotFoundError, RoarError, TemporaryError, UsageError
from roar_core.hookspecs import RemoteObject, Upload
from roar_core.http_client import new_client, unpacked
from roar_core.transfer.web_answers import (
    content_range,
    digests_of,
    refusal,
    size_of,
    validator_of,
    version_of,
)

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 30.0
REDIRECTS_MAX = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpsTransfer:
    """Objects behind http and https URLs; each of them is a single one, and none can be put."""

    schemes = ("https", "http")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: httpx.Client | None = None

    def list(self, url: str) -> Iterator[RemoteObject]:
        with self._ask(url, {"Range": "bytes=0-0"}) as answer:
            if answer.status_code == 416:  # what is empty has no first byte
                size, ranges = size_of(answer), False
                if size != 0:
                    raise RoarError(f"{url} cannot be read: {refusal(answer)}")
            elif answer.status_code not in (200, 206):
                raise _problem(url, answer)
            else:
                size = size_of(answer)
                has_version = validator_of(version_of(answer)) is not None
                ranges = answer.status_code == 206 and size is not None and has_version
            version, etag = version_of(answer)
            yield RemoteObject(url, size, version, etag, digests_of(answer), ranges, _name(url))

    def read(self, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
        if length == 0:
            return
        end = None if length is None else start + length
        is_whole = start == 0 and (end is None or end == source.size)
        headers: dict[str, str] = {}
        if not is_whole:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
            validator = validator_of((source.version, source.etag))
            if validator is not None:
                headers["If-Range"] = validator
        with self._ask(source.url, headers) as answer:
            self._check(source, answer, start, is_whole=is_whole)
            yield from unpacked(source.url, answer)

    def below(self, url: str, name: str) -> str:
        raise UsageError(
            f"nothing can be put to {urlsplit(url).scheme}:// URLs: servers agree on no way to take"
            " files; put to a file path, or to a store such as s3://"
        )

    def put(self, upload: Upload) -> RemoteObject:
        self.below(upload.url, "")
        raise AssertionError("below() raises")

    def close(self) -> None:
        """Let go of the connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _check(
        self, source: RemoteObject, answer: httpx.Response, start: int, *, is_whole: bool
    ) -> None:
        if answer.status_code not in (200, 206):
            raise _problem(source.url, answer)
        is_same = version_of(answer) == (source.version, source.etag)
        has_version = source.version is not None or source.etag is not None
        size = size_of(answer)
        has_size = source.size is None or size in (None, source.size)
        if (has_version and not is_same) or not has_size:
            raise RoarError(f"{source.url} has changed since it was listed; run it again")
        if not is_whole and (
            answer.status_code != 206 or (content_range(answer) or (-1, 0))[0] != start
        ):
            raise RoarError(
                f"{source.url} has changed, or its server gives other parts than it is asked for;"
                " run it again"
            )

    @contextmanager
    def _ask(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """A GET, through redirects that take no risk. The answer's body is not read yet."""
        import httpx

        at = url
        try:
            for _ in range(REDIRECTS_MAX + 1):
                request = self._client().build_request("GET", at, headers=dict(headers))
                answer = self._client().send(request, stream=True, auth=_login(at))
                try:
                    if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                        yield answer
                        return
                finally:
                    answer.close()
                at = _redirected(url, at, answer.headers["location"])
        except httpx.TransportError as error:
            raise TemporaryError(
                f"{_place(url)} does not answer ({_reason(error)});"
                " check the address and the network, then run it again"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # of addresses, too
            raise RoarError(f"{url} cannot be read: {error}") from error
        raise RoarError(f"{url} leads through more than {REDIRECTS_MAX} redirects; check it")

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._opened is None:
                import httpx

                self._opened = new_client(
                    headers={
                        "User-Agent": f"roar/{__version__}",
                        # Sizes, ranges and digests are of the bytes, not of a packed form of them.
                        "Accept-Encoding": "identity",
                        "Accept": "*/*",
                    },
                    timeout=TIMEOUT_S,
                    follow_redirects=False,
                    limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
                )
            return self._opened


def _reason(error: Exception) -> str:
    """What the system says, without its number."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def _problem(url: str, answer: httpx.Response) -> RoarError:
    status = answer.status_code
    if status in (404, 410):
        return NotFoundError(f"there is nothing at {url}; check its spelling")
    if status in (401, 403):
        return RoarError(
            f"{_place(url)} refuses {url} ({status}); a login for it goes into ~/.netrc"
        )
    if status in (412, 416):
        return RoarError(f"{url} has changed since it was listed; run it again")
    if status in (408, 425, 429) or status >= 500:
        after = answer.headers.get("retry-after", "")
        return TemporaryError(
            f"{_place(url)} cannot give {url} now: {refusal(answer)}; try again later",
            float(after) if after.isdecimal() else None,
        )
    return RoarError(f"{url} cannot be read: {refusal(answer)}")


def _redirected(url: str, at: str, location: str) -> str:
    """Where a redirect leads. Raises RoarError when that is less safe than where it comes from."""
    to = urljoin(at, location)
    parts = urlsplit(to)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise RoarError(f"{url} is redirected to {to[:200]!r}, which is no web address")
    if urlsplit(at).scheme == "https" and parts.scheme != "https":
        raise RoarError(
            f"{url} is redirected to http, where anybody on the way could change it;"
            f" if you want that, get {to[:200]} itself"
        )
    return to


def _login(url: str) -> httpx.Auth | None:
    """What ~/.netrc has for this very host, over https alone."""
    import netrc

    import httpx

    parts = urlsplit(url)
    if parts.scheme != "https":
        return None
    try:
        found = netrc.netrc().authenticators(parts.hostname or "")
    except (OSError, ValueError, netrc.NetrcParseError):
        return None
    return httpx.BasicAuth(found[0], found[2] or "") if found else None


def _name(url: str) -> str:
    """The last part of the path, as a file may be called."""
    import os

    whole = os.fsdecode(unquote_to_bytes(urlsplit(url).path.rpartition("/")[2]))
    return whole.rpartition("/")[2]


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
