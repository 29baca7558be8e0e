"""What can go wrong, as people are told.

GlaasError                 at the command line: one sentence, exit status 1
└── Refusal                to a client: an HTTP status beside the sentence
    ├── BadRequest         400  what was sent is malformed
    ├── Unauthenticated    401  credentials are missing, unknown, expired or revoked
    ├── Forbidden          403  known, but may not
    ├── NotFound           404  does not exist, or may not be seen: the same answer
    ├── TooSlow            408  the request did not arrive whole in time
    ├── Conflict           409  contradicts what is registered
    ├── TooLarge           413
    ├── Misdirected        421  asked of a name that is not this server's
    ├── Unprocessable      422  well formed, but untrue (counts, digests, references)
    ├── TooMany            429  try again after `retry_after_s`
    └── Unavailable        503  the database cannot be reached, the disk is full
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roar_core.errors import RoarError


class GlaasError(RoarError):
    """A command of the server cannot be done."""


class Refusal(GlaasError):
    """An answer that is no: `status` for the client, the sentence for the person behind it.

    `code` is what a program may look at; the protocol names some (`authorization_pending`).
    `retry_after_s` is how many seconds are to pass before asking again, None: it will not help.
    `facts` go beside the sentence, for a program that can act on them.
    """

    status = 400
    code = "bad_request"
    retry_after_s: int | None = None

    def __init__(
        self, message: str, *, code: str | None = None, facts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.facts = dict(facts or {})
        if code is not None:
            self.code = code


class BadRequest(Refusal):
    """What was sent is malformed."""


class Unauthenticated(Refusal):
    """Credentials are missing, unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"


class Forbidden(Refusal):
    """Known, but may not."""

    status = 403
    code = "forbidden"


class NotFound(Refusal):
    """Does not exist, or may not be seen: nobody can tell which."""

    status = 404
    code = "not_found"


class TooSlow(Refusal):
    """The request did not arrive whole in time."""

    status = 408
    code = "request_timeout"


class Misdirected(Refusal):
    """Asked of a name that is not this server's."""

    status = 421
    code = "misdirected"


class Conflict(Refusal):
    """Contradicts what is registered."""

    status = 409
    code = "conflict"


class TooLarge(Refusal):
    """More than is taken at once; less of it may pass."""

    status = 413
    code = "too_large"


class Unprocessable(Refusal):
    """Well formed, but untrue: counts, digests or references do not hold."""

    status = 422
    code = "unprocessable"


class TooMany(Refusal):
    """Asked too often."""

    status = 429
    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(Refusal):
    """The registry cannot work at the moment."""

    status = 503
    code = "unavailable"
    retry_after_s = 1
