"""Commits and moments as people ask for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from roar_glaas.errors import BadRequest

_SHORTEST_COMMIT = 7
_LATEST_S = 1e11
_DIGITS = set("0123456789abcdef")


def commit_is(column: Any, text: str) -> sa.ColumnElement[bool]:
    """The condition that a column holds this commit, or one that begins with 7 digits or more."""
    wanted = text.lower()
    if not _SHORTEST_COMMIT <= len(wanted) <= 64 or not set(wanted) <= _DIGITS:
        raise BadRequest("commit must be 7 to 64 hexadecimal digits")
    if len(wanted) in (40, 64):
        return sa.and_(column == wanted)
    # "g" is behind every digit, in the order of both databases.
    return sa.and_(column >= wanted, column < wanted + "g")


def moment_us(text: str | None, where: str) -> int | None:
    """Seconds since the epoch, or ISO 8601, in microseconds; a time without a zone is UTC.

    Raises BadRequest naming `where`.
    """
    if text is None:
        return None
    try:
        if text.replace(".", "", 1).isdecimal() and len(text) <= 20:
            if float(text) < _LATEST_S:
                return round(float(text) * 1e6)
            raise OverflowError(text)
        found = datetime.fromisoformat(text[:40])
        return round(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1e6)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{where} must be seconds since the epoch, or a time like 2025-01-31T12:00:00Z"
        ) from error
