"""The server's log on stderr: a line for each request, and for what went wrong.

Never in it: query strings, paths as they were asked for (the route's template stands for them),
bodies, addresses, tokens, headers.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TextIO

from roar_glaas.errors import GlaasError
from roar_glaas.serving.noted import Noted, request_id

_requests = logging.getLogger("glaas.requests")


def set_up_logs(log_format: str, stream: TextIO | None = None) -> None:
    """Write what is logged from now on to stderr, as `text` or as `json`, one object a line.

    "" chooses text for a terminal and JSON for anything else. Raises GlaasError for another.
    """
    stream = stream or sys.stderr
    chosen = log_format or ("text" if stream.isatty() else "json")
    if chosen not in ("text", "json"):
        raise GlaasError(f"log_format must be text or json, not {log_format!r}")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if chosen == "json" else _Text())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    _requests.setLevel(logging.INFO)


def log_request(method: str, route: str, status: int, taken_s: float, noted: Noted) -> None:
    """Log one answered request."""
    fields = {
        "method": method,
        "route": route,
        "status": status,
        "duration_ms": round(taken_s * 1000, 2),
        "caller": noted.caller,
        "request_id": noted.request_id,
    }
    _requests.info("%s %s %d", method, route, status, extra={"fields": fields})


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {"time": _moment(record.created), "level": record.levelname}
        fields = getattr(record, "fields", None)
        if fields is None:
            told |= {"logger": record.name, "message": record.getMessage()}
            if request_id.get():
                told["request_id"] = request_id.get()
            if record.exc_info:
                told["traceback"] = self.formatException(record.exc_info)
        else:
            told |= fields
        return json.dumps(told)


class _Text(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", None)
        if fields is not None:
            who = fields["caller"] or "-"
            return (
                f"{_moment(record.created)} {fields['status']} {fields['method']} "
                f"{fields['route']} {fields['duration_ms']} ms {who} {fields['request_id']}"
            )
        told = f"{_moment(record.created)} {record.levelname} {record.getMessage()}"
        if request_id.get():
            told += f" [{request_id.get()}]"
        if record.exc_info:
            told += "\n" + self.formatException(record.exc_info)
        return told


def _moment(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
