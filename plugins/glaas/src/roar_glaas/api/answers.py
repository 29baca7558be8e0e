"""How refusals and failures are told to clients: one JSON shape, never a traceback."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from roar_glaas.errors import Refusal, TooMany, Unavailable

_log = logging.getLogger(__name__)


def refusal(_: Request[Any, Any, Any], error: Refusal) -> Response[dict[str, Any]]:
    """`{"detail", "error"}` with the refusal's status."""
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooMany) else {}
    if error.status == 503:
        headers["Retry-After"] = "1"
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        {"detail": str(error), "error": error.code}, status_code=error.status, headers=headers
    )


def http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """What the framework refused: unknown routes, methods, malformed bodies, naming the field."""
    detail = error.detail
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        told = [
            f"{found.get('key') or 'the body'}: {found.get('message')}"
            for found in error.extra
            if isinstance(found, dict)
        ]
        detail = "; ".join(told) or detail
    return Response(
        {"detail": detail, "error": "bad_request" if error.status_code == 400 else "http_error"},
        status_code=error.status_code,
        headers=error.headers or {},
    )


def database_error(
    request: Request[Any, Any, Any], error: sa.exc.OperationalError
) -> Response[dict[str, Any]]:
    """503: the database is away, full or busy."""
    # The route, not the path: what people type into an address is theirs.
    _log.error("database error at %s: %s", _route(request), str(error.orig).partition("\n")[0])
    return refusal(request, Unavailable("the registry's database cannot be used now; try again"))


def failure(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """A fault of ours: logged whole, told in one sentence."""
    _log.error("%s %s failed", request.method, _route(request), exc_info=error)
    return Response(
        {"detail": "the registry failed at this; its log says more", "error": "internal"},
        status_code=500,
    )


def _route(request: Request[Any, Any, Any]) -> str:
    return request.scope.get("path_template") or "an unknown route"
