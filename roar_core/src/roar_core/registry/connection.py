"""A connection to one registry, asked as one caller: requests, patience and bounds.

Every call of the protocol may be made twice with the same result, so that each is tried again when
it is not known whether it arrived. Redirects are not followed: a credential is for the registry
that it was given for.
"""

from __future__ import annotations

import json
import logging
import math
import random
import re
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from roar_core import __version__
from roar_core.config.layers import Config
from roar_core.config.redacting import redactor_of
from roar_core.errors import UnauthorisedError, UnreachableError
from roar_core.http_client import PackedError, new_client, unpacked
from roar_core.redaction import DEFAULT, Redactor, redact
from roar_core.registry.address import Address, address_of
from roar_core.registry.answers import Answer, error_of, value_of
from roar_core.registry.callers import Caller, caller_of

if TYPE_CHECKING:
    import ssl

    import httpx

ATTEMPTS = 4
CONNECT_S, READ_S = 10.0, 30.0
LONGEST_WAIT_S = 30.0
_RENEWALS = 3
_FIRST_WAIT_S = 0.25
_SILENT_WAIT_S = 3.0
_MOST_BYTES = 128 << 20
_PATIENCE_S, _SLOWEST_BYTES_PER_S = 60.0, 10_240
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_AGAIN = frozenset({429, 502, 503, 504})

_log = logging.getLogger(__name__)


@attrs.frozen
class _Request:
    """What is asked; `authorization` is a header that is not the caller's, `headers` are others."""

    method: str
    path: str
    content: bytes = b""
    params: Mapping[str, str] | None = None
    authorization: str = ""
    is_repeatable: bool = True
    headers: Mapping[str, str] = {}


class Connection:
    """One registry, asked as one caller, None being nobody; a context manager.

    `url` is the registry's, without the path of its API. `warn` is told what the user should know
    although the answer came, and `pause` waits so many seconds.
    """

    def __init__(
        self,
        address: Address,
        caller: Caller | None = None,
        *,
        attempts: int = ATTEMPTS,
        warn: Callable[[str], None] = _log.warning,
        pause: Callable[[float], None] = time.sleep,
        redactor: Redactor = DEFAULT,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
    ) -> None:
        self.address = address
        self.url = address.url
        self.caller = caller
        self._attempts = attempts
        self.warn = warn
        self._pause = pause
        self.redactor = redactor
        self._patience_s = connect_s, read_s
        self._opened: httpx.Client | None = None
        self._is_refused = False

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The value at `path`, below the API's. Raises RegistryError and its kinds.

        A credential that is refused does not keep from reading what is public: the user is warned,
        once, and the registry asked without.
        """
        request = _Request("GET", path, params=params)
        if self.caller is None or not self.caller.reads or self._is_refused:
            return self._value(request, self._answer(request, None))
        try:
            answer = self._answer(request, self.caller)
        except UnauthorisedError as error:
            return self._read_as_nobody(request, str(error))
        if answer.status == 401:
            told = str(error_of(self.url, answer, self.caller.remedy))
            return self._read_as_nobody(request, self._without_secret(told))
        return self._value(request, answer, self.caller)

    def get_as_caller(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The value at `path`, of what is the caller's own. Raises UnauthorisedError when refused.

        An SSH key that nobody named is shown here, and for whatever is posted; not in `get`.
        """
        request = _Request("GET", path, params=params)
        return self._value(request, self._answer(request, self.caller), self.caller)

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Any:
        """The value answered to `body`. `token` is an anonymous registration's own secret.

        Nothing secret leaves by this way, whatever `body` was made by: see docs/redaction.md.
        """
        told = redact(body, self.redactor)
        if told.masked:
            _log.warning("masked in a body for %s: %s", path, told.masked)
        own = "" if token is None else f"RegistrationSession {token}"
        request = _Request("POST", path, _json(told.document), authorization=own)
        caller = self.caller if token is None else None
        return self._value(request, self._answer(request, caller), caller)

    def exchange(self, path: str, body: Mapping[str, Any]) -> Any:
        """The value answered to a secret in `body` that must not be sent twice; as nobody."""
        request = _Request("POST", path, _json(body), is_repeatable=False)
        # Over a new socket: an idle one may have been closed there, and it could not be sent again.
        with self.as_nobody() as fresh:
            return fresh._value(request, fresh._answer(request, None))

    def get_exactly(self, path: str, headers: Mapping[str, str]) -> Any:
        """The value at `path` for who shows what is in `headers`; raises as `post_exactly`."""
        request = _Request("GET", path, headers=headers)
        return self._value(request, self._answer(request, self.caller), self.caller)

    def post_exactly(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Any:
        """The value answered to a body in which nothing may be masked.

        It holds digests and what is encrypted, in which any pass would find what is not there.
        What `headers` hold is masked in what is raised: RegistryError and its kinds.
        """
        request = _Request("POST", path, _json(body), headers=headers or {})
        return self._value(request, self._answer(request, self.caller), self.caller)

    def as_nobody(self) -> Connection:
        """The same registry, asked without any credential; to be closed on its own."""
        return Connection(
            self.address,
            attempts=self._attempts,
            warn=self.warn,
            pause=self._pause,
            redactor=self.redactor,
        )

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

    def _value(self, request: _Request, answer: Answer, caller: Caller | None = None) -> Any:
        if answer.is_success:
            return value_of(self.url, answer)
        remedy = caller.remedy if caller is not None else ""
        if (
            caller is None
            and request.is_repeatable
            and not (request.authorization or request.headers)
        ):
            remedy = "sign in: roar login"
        error = error_of(self.url, answer, remedy)
        told = self._without_secret(str(error))
        for secret in request.headers.values():
            told = told.replace(secret, "***")
        error.args = (told,)
        raise error

    def _read_as_nobody(self, request: _Request, reason: str) -> Any:
        self._is_refused = True
        answer = self._answer(request, None)
        self.warn(f"{reason}; asked without a name instead, which sees only what is public")
        return self._value(request, answer)

    def _without_secret(self, text: str) -> str:
        secret = self.caller.secret if self.caller is not None else ""
        return text.replace(secret, "***") if secret else text

    def _answer(self, request: _Request, caller: Caller | None) -> Answer:
        """The last answer of as many attempts as it takes, while a credential can be renewed."""
        answer = self._persist(request, caller)
        for _ in range(_RENEWALS):
            if answer.status != 401 or caller is None or not caller.renew(self, answer):
                break
            answer = self._persist(request, caller)
        return answer

    def _persist(self, request: _Request, caller: Caller | None) -> Answer:
        import httpx

        attempts = self._attempts if request.is_repeatable else 1
        failures = 0
        for attempt in range(1, attempts + 1):
            try:
                answer = self._ask(request, caller)
            except httpx.HTTPError as error:
                if attempt == attempts:
                    raise UnreachableError(self._silence(error)) from error
                self._wait(attempt, None)
                continue
            except PackedError as error:
                raise UnreachableError(str(error)) from error
            except (UnicodeError, httpx.InvalidURL) as error:
                raise UnreachableError(f"{self.url} is no address that can be asked") from error
            failures += answer.status == 500
            is_worth_it = answer.status in _AGAIN or (answer.status == 500 and failures == 1)
            if attempt == attempts or not is_worth_it:
                return answer
            if (answer.retry_after_s or 0) > LONGEST_WAIT_S:
                return answer
            self._wait(attempt, answer.retry_after_s)
        raise AssertionError("a request is made at least once")

    def _ask(self, request: _Request, caller: Caller | None) -> Answer:
        client = self._client()
        built = client.build_request(
            request.method,
            f"/api/v1/{request.path.lstrip('/')}",
            params=request.params,
            content=request.content or None,
            headers={"Content-Type": "application/json"} if request.content else {},
        )
        built.headers.update(request.headers)
        authorization = request.authorization
        if caller is not None:
            target = built.url.raw_path.decode("ascii")
            authorization = caller.header(self, request.method, target, request.content)
        if authorization:
            built.headers["Authorization"] = authorization
        response = client.send(built, stream=True)
        try:
            return self._read(response)
        finally:
            response.close()

    def _read(self, response: httpx.Response) -> Answer:
        body = bytearray()
        started_s = time.monotonic()
        for part in unpacked(self.url, response):
            body += part
            if time.monotonic() - started_s > _PATIENCE_S + len(body) / _SLOWEST_BYTES_PER_S:
                raise UnreachableError(f"{self.url} answers a few bytes at a time; try later")
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

            self._opened = new_client(
                base_url=self.url,
                timeout=httpx.Timeout(self._patience_s[1], connect=self._patience_s[0]),
                follow_redirects=False,
                verify=self._authorities(),
                # A proxy is for reaching others, not this very machine.
                trust_env=not self.address.is_loopback,
                headers={"Accept": "application/json", "User-Agent": f"roar/{__version__}"}
                | {"Accept-Encoding": "gzip"}
                | {"X-Roar-Version": __version__},
            )
        return self._opened

    def _authorities(self) -> ssl.SSLContext | bool:
        """Who vouches for a host: the usual ones. Without TLS nobody, whose reading takes a while.

        An empty context trusts no host at all, should one be asked by TLS.
        """
        import ssl

        return self.url.startswith("https://") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def _wait(self, attempt: int, asked_s: float | None) -> None:
        """Half of it is chance: those who were refused together shall not return together."""
        wait_s = _FIRST_WAIT_S * 2 ** (attempt - 1)
        wait_s = wait_s * (1 + random.random()) / 2  # noqa: S311 - nothing secret hangs on it
        if asked_s is not None:
            wait_s += asked_s
        if wait_s > _SILENT_WAIT_S:
            self.warn(f"{self.url} asks to wait; going on in {math.ceil(wait_s)} s")
        self._pause(wait_s)

    def _silence(self, error: httpx.HTTPError) -> str:
        import httpx

        if isinstance(error, httpx.TimeoutException):
            return f"{self.url} does not answer in time; try later"
        reason = _ERRNO.sub("", str(error).strip()) or type(error).__name__
        reason = f"{reason[:1].lower()}{reason[1:200]}".rstrip(".")
        return f"{self.url} cannot be reached: {reason}; try later"


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
    address = address_of(config, environ, url)
    caller = None if anonymous else caller_of(address, config, environ)
    return Connection(address, caller, attempts=attempts, warn=warn, redactor=redactor_of(config))


def _json(body: Mapping[str, Any] | None) -> bytes:
    return b"" if body is None else json.dumps(body, separators=(",", ":")).encode()


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
