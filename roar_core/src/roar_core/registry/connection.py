"""A connection to one registry, asked as one caller: requests, patience and bounds.

Every call of the protocol may be made twice with the same result, so that each is tried again when
it is not known whether it arrived. Redirects are not followed: a credential is for the registry
that it was given for.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from roar_core import __version__
from roar_core.config.layers import Config
from roar_core.errors import UnreachableError
from roar_core.registry.address import Address, address_of
from roar_core.registry.answers import Answer, error_of, value_of

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 4
CONNECT_S, READ_S = 10.0, 30.0
LONGEST_WAIT_S = 30.0
_FIRST_WAIT_S = 0.25
_MOST_BYTES = 128 << 20
_AGAIN = frozenset({429, 502, 503, 504})

_log = logging.getLogger(__name__)


class Credential(Protocol):
    """Who asks: makes the `Authorization` of a request, and knows what helps when it is refused."""

    remedy: str

    def header(self, method: str, target: str, body: bytes) -> str:
        """The header's value, for a path with its query and the bytes of a body."""


class Connection:
    """One registry, asked as one caller; a context manager. `url` is without the API's path."""

    def __init__(
        self,
        address: Address,
        credential: Credential | None = None,
        *,
        attempts: int = ATTEMPTS,
        warn: Callable[[str], None] = _log.warning,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self.url = address.url
        self.credential = credential
        self._attempts = attempts
        self._warn = warn
        self._pause = pause
        self._opened: httpx.Client | None = None

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The value at `path`, below the API's. Raises RegistryError and its kinds."""
        return self._value("GET", path, params=params)

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Any:
        """The value answered to `body`. `token` is an anonymous registration's own secret."""
        return self._value("POST", path, body=body, token=token)

    def close(self) -> None:
        """Let go of the sockets; the connection opens them again when it is used again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _value(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> Any:
        answer = self._answer(method, path, params, body, token)
        if answer.is_success:
            return value_of(self.url, answer)
        remedy = self.credential.remedy if self.credential and not token else ""
        raise error_of(self.url, answer, remedy)

    def _answer(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        token: str | None,
    ) -> Answer:
        import httpx

        content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        was_failure = False
        for attempt in range(1, self._attempts + 1):
            is_last = attempt == self._attempts
            try:
                answer = self._ask(method, path, params, content, token)
            except httpx.TransportError as error:
                if is_last:
                    raise UnreachableError(self._silence(error)) from error
                self._wait(attempt, None)
                continue
            is_failure = answer.status == 500 and not was_failure
            was_failure = was_failure or is_failure
            if is_last or not (answer.status in _AGAIN or is_failure):
                return answer
            if (answer.retry_after_s or 0) > LONGEST_WAIT_S:
                return answer
            self._wait(attempt, answer.retry_after_s)
        raise AssertionError("a request is tried at least once")

    def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        content: bytes,
        token: str | None,
    ) -> Answer:
        client = self._client()
        headers = {"Content-Type": "application/json"} if content else {}
        request = client.build_request(
            method,
            f"/api/v1/{path.lstrip('/')}",
            params=params,
            content=content or None,
            headers=headers,
        )
        if token is not None:
            request.headers["Authorization"] = f"RegistrationSession {token}"
        elif self.credential is not None:
            target = request.url.raw_path.decode("ascii")
            request.headers["Authorization"] = self.credential.header(method, target, content)
        response = client.send(request, stream=True)
        try:
            return self._read(response)
        finally:
            response.close()

    def _read(self, response: httpx.Response) -> Answer:
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > _MOST_BYTES:
                raise UnreachableError(
                    f"{self.url} answered with more than {_MOST_BYTES >> 20} MiB; ask for less"
                )
        headers = response.headers
        return Answer(
            response.status_code,
            bytes(body),
            headers.get("content-type", "").lower(),
            headers.get("location", ""),
            _seconds(headers.get("retry-after", "")),
        )

    def _client(self) -> httpx.Client:
        if self._opened is None:
            import httpx

            self._opened = httpx.Client(
                base_url=self.url,
                timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
                follow_redirects=False,
                # A proxy is for reaching others, not this very machine.
                trust_env=not self.address.is_loopback,
                headers={"Accept": "application/json", "User-Agent": f"roar/{__version__}"}
                | {"X-Roar-Version": __version__},
            )
        return self._opened

    def _wait(self, attempt: int, asked_s: float | None) -> None:
        """Half of it is chance: those who were refused together shall not return together."""
        wait_s = _FIRST_WAIT_S * 2 ** (attempt - 1)
        wait_s = wait_s * (1 + random.random()) / 2  # noqa: S311 - nothing secret hangs on it
        self._pause(wait_s if asked_s is None else asked_s + wait_s)

    def _silence(self, error: httpx.TransportError) -> str:
        import httpx

        if isinstance(error, httpx.TimeoutException):
            return f"{self.url} does not answer in time; try later"
        reason = str(error).strip() or type(error).__name__
        return f"{self.url} cannot be reached: {reason[:200]}"


def connect(
    config: Config,
    environ: Mapping[str, str],
    *,
    anonymous: bool = False,
    url: str | None = None,
    attempts: int = ATTEMPTS,
    warn: Callable[[str], None] = _log.warning,
) -> Connection:
    """A connection to the registry that holds here, or to `url`, as whoever one is there.

    With `anonymous` no credential of any kind is read or sent. `warn` is told what the user should
    know although the answer came. Nothing is sent yet. Raises ConfigError for an unsafe address.
    """
    return Connection(address_of(config, environ, url), attempts=attempts, warn=warn)


def _seconds(text: str) -> float | None:
    """What Retry-After says, in seconds from now (RFC 9110, 10.2.3); None when nothing."""
    from email.utils import parsedate_to_datetime

    stated = text.strip()
    if stated.isascii() and stated.isdigit():
        return float(stated[:9])
    try:
        return max(0.0, parsedate_to_datetime(stated).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
