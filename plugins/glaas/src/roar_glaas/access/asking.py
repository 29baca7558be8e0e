"""From a request to the caller behind it."""

from __future__ import annotations

from typing import Any

from litestar import Request

from roar_glaas.access.caller import ANYBODY, Caller


def who_asks(request: Request[Any, Any, Any]) -> Caller:
    """The caller of a request. There are no accounts yet: everybody is anybody."""
    return ANYBODY
