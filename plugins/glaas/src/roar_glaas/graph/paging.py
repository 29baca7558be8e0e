"""Pages of long answers: how many at once, and the cursor that goes on where one ended.

A cursor names the place by the keys of what was told last, so that registrations that come in
meanwhile move nothing. It belongs to its question; what it holds is no secret and no permission.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from roar_glaas.errors import BadRequest

USUAL = 100
MOST = 1_000
_MOST_CHARACTERS = 400
_LARGEST = 2**63 - 1


def cursor_at(question: Sequence[object], place: Sequence[int]) -> str:
    """The cursor for the place that these keys name in the answer to a question."""
    content = json.dumps([_tag(question), *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def place_of(cursor: str | None, question: Sequence[object], keys: int) -> tuple[int, ...] | None:
    """The keys in a cursor; None without one.

    Raises BadRequest for what is no cursor, and for that of another question.
    """
    if cursor is None:
        return None
    found: Any = None
    if len(cursor) <= _MOST_CHARACTERS and cursor.isascii():
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, RecursionError):
            found = None
    if (
        not isinstance(found, list)
        or len(found) != keys + 1
        or not all(type(key) is int and 0 <= key <= _LARGEST for key in found[1:])
    ):
        raise no_cursor()
    if found[0] != _tag(question):
        raise BadRequest("cursor belongs to another question; ask without it first")
    return tuple(found[1:])


def no_cursor() -> BadRequest:
    """The refusal of what no answer gave as its cursor."""
    return BadRequest("cursor is none that this registry gave; ask without it first")


def _tag(question: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(list(map(str, question))).encode()).hexdigest()[:12]
