"""Read JSON that means the same to every reader, and that both databases can keep (I-JSON)."""

from __future__ import annotations

import json
import re
from typing import Any

from roar_glaas.errors import BadRequest

# What the answers can say again: 64 bits.
_LARGEST = 2**63 - 1
_MOST_DIGITS = 20


def parse(content: bytes | str, where: str) -> Any:
    """The value of a JSON text.

    Raises BadRequest for what is no JSON or no UTF-8, for a key that comes twice in an object, NaN
    and Infinity, integers beyond 64 bits, half a character (a lone surrogate), and for nesting so
    deep that it cannot be followed.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        value = _DECODER.decode(text.removeprefix("\ufeff"))
        # An escape of a surrogate: fine in pairs, and rare.
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{where} is no UTF-8") from error
    except UnicodeEncodeError as error:
        raise BadRequest(f"{where} holds half a character") from error
    except RecursionError as error:
        raise BadRequest(f"{where} is nested too deeply") from error
    except _TooLarge as error:
        raise BadRequest(f"{where}: {_key_of(error.digits, text)} is too large") from error
    except _Ambiguous as error:
        raise BadRequest(f"{where}: {error}") from error
    except ValueError as error:
        raise BadRequest(f"{where} is no JSON: {error}") from error
    return value


class _Ambiguous(ValueError):
    """JSON by its grammar, but read in more than one way."""


class _TooLarge(ValueError):
    def __init__(self, digits: str) -> None:
        super().__init__(digits)
        self.digits = digits


def _key_of(digits: str, text: str) -> str:
    """What to call a number: the key it is the value of, or the first of an array of."""
    found = re.search(rf'"([^"\\]{{1,64}})"\s*:[\s\[]*{re.escape(digits)}', text)
    return found[1] if found else f"the number {digits[:24]}…"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Ambiguous(f"the key {key[:64]!r} comes twice in one object")
            seen.add(key)
    return found


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS or abs(value := int(digits)) > _LARGEST:
        raise _TooLarge(digits)
    return value


def _constant(name: str) -> None:
    raise _Ambiguous(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant, strict=True
)
