"""How refusals and failures are told to clients: one JSON shape, never a traceback."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from roar_glaas.errors import BadRequest, Refusal, Unavailable

_DISK_FULL = "53100"  # PostgreSQL, appendix A

_log = logging.getLogger(__name__)


def refusal(_: Request[Any, Any, Any], error: Refusal) -> Response[dict[str, Any]]:
    """`{"detail", "error"}`, and the refusal's facts, with its status."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        {"detail": str(error), "error": error.code} | error.facts,
        status_code=error.status,
        headers=headers,
    )


def http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """What the framework refused: unknown routes, methods, malformed bodies, naming the field."""
    detail = error.detail
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        told = [
            # `data` is what a handler calls the whole body.
            f"{'the body' if found.get('key', 'data') == 'data' else found['key']}: "
            f"{found.get('message')}"
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
    request: Request[Any, Any, Any], error: sa.exc.OperationalError | sa.exc.TimeoutError
) -> Response[dict[str, Any]]:
    """503: the database is away, full or busy. Nothing of the request was kept."""
    cause = getattr(error, "orig", error)
    # The route, not the path: what people type into an address is theirs.
    _log.error("database error at %s: %s", _route(request), str(cause).partition("\n")[0])
    if _is_full(cause):
        told = "the registry's disk is full; nothing was kept, try again when there is room"
    else:
        told = "the registry's database cannot be used now; nothing was kept, try again"
    return refusal(request, Unavailable(told))


def _is_full(cause: object) -> bool:
    # Of SQLite also a read or write that failed: for want of room it cannot grow its index either.
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) or (
        getattr(cause, "sqlstate", None) == _DISK_FULL
    )


def too_deep(request: Request[Any, Any, Any], _: RecursionError) -> Response[dict[str, Any]]:
    """A body nested deeper than the parser goes; nothing else here recurses without a bound."""
    return refusal(request, BadRequest("the body is nested too deeply"))


def failure(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """A fault of ours: logged whole, told in one sentence."""
    _log.error("%s %s failed", request.method, _route(request), exc_info=error)
    return Response(
        {"detail": "the registry failed at this; its log says more", "error": "internal"},
        status_code=500,
    )


def _route(request: Request[Any, Any, Any]) -> str:
    return request.scope.get("path_template") or "an unknown route"
