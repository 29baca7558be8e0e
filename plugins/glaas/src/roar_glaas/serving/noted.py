"""What becomes known of a request on its way, for its log line and its limits."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import attrs

from roar_glaas.access.caller import Caller
from roar_glaas.serving.peers import Peer

_KEY = "glaas.noted"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this thread or task works for, "" for none: log records name it."""


@attrs.define
class Noted:
    """One request, beside what it says itself."""

    request_id: str
    peer: Peer
    caller: str = ""


def note(scope: Any, noted: Noted) -> None:
    """Keep it with the request."""
    scope[_KEY] = noted


def noted_of(scope: Any) -> Noted | None:
    """What is known of a request; None when nothing was noted: it came by another way than Gate."""
    found = scope.get(_KEY)
    return found if isinstance(found, Noted) else None


def admit(request: Any, known: Caller) -> Caller:
    """The caller of a request, once their account's limit allows it; raises TooMany.

    The dependency `caller` of every handler; `known` is who the credentials say it is.
    """
    if known.is_known:
        noted = noted_of(request.scope)
        if noted is not None:
            noted.caller = known.name
        request.app.state.rates.account(known.name)
    return known
