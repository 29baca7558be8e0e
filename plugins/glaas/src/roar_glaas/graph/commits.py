"""Commits as people ask for them: whole, or by their first digits."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_glaas.digests import is_hexadecimal
from roar_glaas.errors import BadRequest

_SHORTEST_COMMIT = 7


def commit_is(column: Any, text: str) -> sa.ColumnElement[bool]:
    """The condition that a column holds this commit, or one that begins with 7 digits or more."""
    wanted = text.lower()
    if not _SHORTEST_COMMIT <= len(wanted) <= 64 or not is_hexadecimal(wanted):
        raise BadRequest("commit must be 7 to 64 hexadecimal digits")
    if len(wanted) in (40, 64):
        return sa.and_(column == wanted)
    # "g" is behind every digit, in the order of both databases.
    return sa.and_(column >= wanted, column < wanted + "g")
