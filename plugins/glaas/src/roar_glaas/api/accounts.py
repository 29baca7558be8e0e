"""What clients with credentials ask first. There are no accounts: every credential is unknown."""

from __future__ import annotations

from typing import Any

from litestar import get

from roar_glaas.errors import Unauthenticated

NO_ACCOUNTS = "this registry knows no accounts; register with --anonymous"


@get(["/api/v1/sessions", "/api/v1/auth/me", "/api/v1/auth/access-context"], sync_to_thread=False)
def who_am_i() -> dict[str, Any]:
    """401: clients then go on as anonymous (protocol, section 1.2)."""
    raise Unauthenticated(NO_ACCOUNTS)
