"""What is done to everything that comes in, before its canonical bytes exist: checked and masked.

Secrets never get into the log, because nothing gets out of it again.
"""

from __future__ import annotations

import json
from typing import Any

from roar_core.redaction import mask, mask_in
from roar_glaas.digests import ETAG
from roar_glaas.errors import BadRequest
from roar_glaas.strict_json import parse

MOST_CHARACTERS = 1 << 20
_LENGTHS = {
    **dict.fromkeys(("blake3", "sha256", "composite-blake3", "composite-sha256"), 32),
    "sha512": 64,
    "md5": 16,
}
_MOST_ETAG = 64


class Door:
    """Takes in the texts of one request, and remembers where it masked something and what."""

    def __init__(self) -> None:
        self.masked: list[dict[str, str]] = []

    def text(self, value: str, where: str) -> str:
        """A text without secrets. Raises BadRequest for what no database can keep."""
        found = mask(storable(value, where))
        self._note(where, found.what)
        return found.text

    def document(self, value: str | dict[str, Any] | None, where: str) -> str | None:
        """A JSON object, or the text of one, as text with sorted keys and without secrets."""
        if value is None:
            return None
        stated: object = value
        if isinstance(value, str):
            stated = parse(storable(value, where), where)
        if not isinstance(stated, dict):
            raise BadRequest(f"{where} must be a JSON object")
        try:
            kept, what = mask_in(stated)
            text = json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"{where} is nested too deeply, or holds no number") from error
        if len(text) > MOST_CHARACTERS or "\\u0000" in text:
            raise BadRequest(f"{where} is too long, or holds a NUL")
        self._note(where, what)
        return text

    def _note(self, where: str, what: tuple[str, ...]) -> None:
        self.masked += [{"where": where, "what": name} for name in what]


def storable(value: str, where: str) -> str:
    """A text as both databases can keep it; raises BadRequest otherwise."""
    if len(value) > MOST_CHARACTERS:
        raise BadRequest(f"{where} is longer than {MOST_CHARACTERS} characters")
    try:
        is_whole = b"\0" not in value.encode("utf-8")
    except UnicodeEncodeError:
        is_whole = False
    if not is_whole:
        raise BadRequest(f"{where} holds a NUL or half a character")
    return value


def digest(algorithm: str, text: str, where: str) -> bytes:
    """The bytes of a digest. Raises BadRequest naming the algorithm, or the length it needs."""
    if algorithm == ETAG and 0 < len(text) <= _MOST_ETAG and text.isascii() and text.isprintable():
        if mask(text).what:
            raise BadRequest(f"{where}: this is no etag, but holds a secret")
        return text.encode("ascii")
    length = _LENGTHS.get(algorithm)
    if length is None:
        known = ", ".join([*_LENGTHS, ETAG])
        raise BadRequest(f"{where}: {storable(algorithm, where)!r} is none of {known}")
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != length or len(text) != 2 * length:
        raise BadRequest(f"{where}: a digest of {algorithm} has {2 * length} hexadecimal digits")
    return found


def uid(text: str, where: str) -> bytes:
    """The 16 bytes of a job's uid; raises BadRequest."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 16 or len(text) != 32:
        raise BadRequest(f"{where}: a job's uid has 32 hexadecimal digits")
    return found


def microseconds(seconds: float, where: str) -> int:
    """Seconds as whole microseconds; raises BadRequest for what is no moment or duration."""
    if not 0 <= seconds < 9e9:  # false for NaN too; as microseconds below 2**53, like all integers
        raise BadRequest(f"{where} must lie between 0 and 9e9 seconds")
    return round(seconds * 1e6)
