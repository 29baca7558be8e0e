"""Log-in by a code that somebody approves, over HTTP (GLaaS v1, section 2; RFC 8628)."""

from __future__ import annotations

from typing import Any

import attrs
from litestar import Request, Response, Router, post

from roar_glaas.access import device
from roar_glaas.api.accounts import NO_STORE, pair_document
from roar_glaas.errors import BadRequest
from roar_glaas.serving.peers import address_of
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

Answer = dict[str, Any]

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_TOLD = {
    "authorization_pending": "nobody has approved the code yet; ask again",
    "slow_down": "asked too often; wait longer between two questions",
    "expired_token": "the code has expired or was used; start again: roar login",
    "access_denied": "somebody has refused this log-in",
}


@attrs.frozen(kw_only=True)
class Starting:
    """The body of `auth/device/start`."""

    client_id: str = "roar-cli"
    client_name: str = "roar-cli"


@attrs.frozen(kw_only=True)
class Polling:
    """The body of `auth/device/token`."""

    device_code: str
    grant_type: str = _GRANT
    client_id: str = "roar-cli"


@post("/start", status_code=200, sync_to_thread=True)
def start(
    request: Request[Any, Any, Any], database: Database, settings: Settings, data: Starting
) -> Response[Answer]:
    """Begin a log-in: a secret for the client, and a code for somebody to approve."""
    address = address_of(request)
    with database.write() as connection:
        started = device.start(connection, data.client_name, address, settings.device_interval_s)
    page = f"{settings.url}/device"
    told = {
        "device_code": started.device_code,
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?code={started.user_code}",
        "expires_in": device.LIFETIME_S,
        "interval": started.interval_s,
    }
    return Response(told, headers=NO_STORE)


@post("/token", status_code=200, sync_to_thread=True)
def token(database: Database, settings: Settings, data: Polling) -> Response[Answer]:
    """The tokens, once somebody has approved; until then 400 and RFC 8628's error."""
    if data.grant_type != _GRANT:
        raise BadRequest(f"grant_type must be {_GRANT}", code="unsupported_grant_type")
    with database.write() as connection:
        polled = device.poll(connection, data.device_code)
    if polled.pair is not None:
        return Response(pair_document(settings, polled.pair), headers=NO_STORE)
    told: Answer = {"detail": _TOLD[polled.error], "error": polled.error}
    if polled.interval_s:
        told["interval"] = polled.interval_s
    return Response(told, status_code=400, headers=NO_STORE)


device_routes = Router(path="/api/v1/auth/device", route_handlers=[start, token])
