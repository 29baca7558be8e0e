"""What a registry answered, as values or as one sentence.

The answers are whatever somebody else's server, or a proxy on the way, sends: every part of them
that is shown is cut to a length, and secrets that they repeat are masked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import attrs

from roar_core.errors import (
    ConflictError,
    RegistryError,
    UnauthorisedError,
    UnreachableError,
    UnregisteredError,
)
from roar_core.redaction import mask

_MOST_SHOWN = 300


@attrs.frozen
class Answer:
    """An answer of HTTP: `kind` is its media type, `retry_after_s` what it asks to be waited."""

    status: int
    body: bytes
    kind: str = ""
    location: str = ""
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, which no registry sends here: a proxy's, or a wrong address."""
        return "html" in self.kind or self.body[:64].lstrip()[:1] == b"<"


def value_of(url: str, answer: Answer) -> Any:
    """The JSON value of a success, out of its envelope. Raises UnreachableError when it is none."""
    if answer.is_page:
        raise UnreachableError(_page(url, answer.status), answer.status)
    if not answer.body.strip():
        return {}
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise UnreachableError(
            f"{url} gave an answer that is no JSON (HTTP {answer.status}); is it a registry, and"
            " is nothing in between?",
            answer.status,
        ) from error
    if isinstance(value, dict) and value.get("success") is True and "data" in value:
        return value["data"]
    return value


def object_of(value: object) -> Mapping[str, Any]:
    """What was told, where it is an object; one without anything where it is none."""
    return value if isinstance(value, Mapping) else {}


def list_in(told: object, key: str) -> list[Any]:
    """The list of that name in an object; an empty one where something else was told."""
    found = object_of(told).get(key)
    return found if isinstance(found, list) else []


def objects_in(told: object, key: str) -> list[dict[str, Any]]:
    """The objects in the list of that name; whatever else is in it is passed over."""
    return [one for one in list_in(told, key) if isinstance(one, dict)]


def error_of(url: str, answer: Answer, remedy: str = "") -> RegistryError:
    """The error for an answer that is no success. `remedy` is what helps against a 401."""
    status = answer.status
    if 300 <= status < 400:
        to = f" to {_shown(answer.location)}" if answer.location else ""
        return UnreachableError(
            f"{url} sends its callers elsewhere{to} (HTTP {status}); registry.url must be the"
            " address itself",
            status,
        )
    if answer.is_page:
        return UnreachableError(_page(url, status), status)
    detail, code = _told(answer.body)
    because = f": {detail}" if detail else ""
    helps = f"; {remedy}" if remedy else ""
    match status:
        case 401:
            message = f"{url} does not know who asks{because}{helps}"
            return UnauthorisedError(message, status, code)
        case 403:  # it says itself which right is missing; another credential may not have it
            whoever = (
                "; ask whoever keeps it; who you are there says: roar whoami" if remedy else ""
            )
            return UnauthorisedError(f"{url} does not allow this{because}{whoever}", status, code)
        case 404:
            return UnregisteredError(f"{url} has no such thing{because}", status, code)
        case 409:
            return ConflictError(f"{url} has something else already{because}", status, code)
        case 413:
            return RegistryError(f"{url} takes nothing this large{because}", status, code)
        case 429:
            wait_s = answer.retry_after_s
            when = "later" if wait_s is None else f"in {math.ceil(wait_s)} s"
            return RegistryError(f"{url} is asked too often{because}; try {when}", status, code)
    if status >= 500:
        return RegistryError(f"{url} failed (HTTP {status}){because}; try later", status, code)
    return RegistryError(f"{url} refused this (HTTP {status}){because}", status, code)


def _page(url: str, status: int) -> str:
    return (
        f"{url} answered with a web page (HTTP {status}), not as a registry does; a proxy may be in"
        " between, or registry.url be another service's"
    )


def _told(body: bytes) -> tuple[str, str]:
    """A refusal's text, and its short name, wherever servers put them (protocol, section 0)."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _shown(body[: 4 * _MOST_SHOWN].decode("utf-8", "replace")), ""
    if not isinstance(value, Mapping):
        return "", ""
    inner = value.get("error")
    inside = object_of(inner)
    texts = (value.get("detail"), value.get("message"), inside.get("detail"), inside.get("message"))
    detail = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    names = (*map(inside.get, ("code", "type")), *map(value.get, ("code", "error_code")))
    code = next((name for name in (inner, *names) if isinstance(name, str)), "")
    return _shown(detail), code[:64]


def _shown(text: str) -> str:
    """A stranger's text as part of a sentence: masked, on one line, without its full stop."""
    one_line = " ".join(mask(text[: 4 * _MOST_SHOWN]).text.split()).rstrip(".")
    return one_line if len(one_line) <= _MOST_SHOWN else f"{one_line[:_MOST_SHOWN]}…"
