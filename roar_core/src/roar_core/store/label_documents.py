"""Labels: documents of nested names, read from `k.a.b=v`, merged deeply, taken apart. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from roar_core.errors import UsageError

Document = dict[str, Any]

# Written by roar itself: reference/identity of published labels, section 6.
_RESERVED_ROOTS = ("roar", "tag", "attach")
_RESERVED = {
    ("dataset", name)
    for name in (
        *("type", "id", "fingerprint", "fingerprint_algorithm", "split", "version_hint"),
        "modality",
    )
}
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?([eE][+-]?\d{1,3})?")
_WORDS = {"true": True, "false": False, "null": None}
_DEPTH_MAX = 32


def from_words(words: Iterable[str]) -> Document:
    """The document that `a.b=1 c=x` says; a later word wins. Raises `UsageError`."""
    found: Document = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"a label is KEY=VALUE, such as stage=prod; got {word!r}")
        if not _is_text(value):
            raise UsageError(f"the value of {key!r} is not UTF-8, which labels are kept in")
        nested: Any = scalar(value)
        for part in reversed(key_path(key)):
            nested = {part: nested}
        found = merged(found, nested)
    return found


def key_path(key: str) -> tuple[str, ...]:
    """The parts of `a.b.c`. Raises `UsageError` for what is no key, or is roar's own."""
    path = tuple(key.split("."))
    if not all(path) or len(path) > _DEPTH_MAX or not key.isprintable():
        raise UsageError(f"{key!r} is no key of a label: names joined by dots, such as team.name")
    if path[0] in _RESERVED_ROOTS or path[:2] in _RESERVED:
        raise UsageError(
            f"labels called {'.'.join(path[:2]) if path[0] == 'dataset' else path[0]} are written"
            " by roar itself; choose another key"
        )
    if path == ("dataset",):
        raise UsageError("dataset holds labels that roar writes itself; set a key inside it")
    return path


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def scalar(text: str) -> Any:
    """`true`, `false`, `null` and numbers as JSON has them, anything else as text."""
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return json.loads(text)
    return text


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> Document:
    """`old` with `new` laid over it: tables into tables, everything else replaced."""
    result = dict(old)
    for name, value in new.items():
        before = result.get(name)
        is_deeper = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[name] = merged(before, value) if is_deeper else value  # type: ignore[arg-type]
    return result


def without(document: Mapping[str, Any], path: tuple[str, ...]) -> Document | None:
    """`document` with what is at `path` gone, and tables that became empty; None: nothing is."""
    first, *rest = path
    if first not in document:
        return None
    result = dict(document)
    if not rest:
        del result[first]
        return result
    inner = result[first]
    if not isinstance(inner, Mapping):
        return None
    less = without(inner, tuple(rest))
    if less is None:
        return None
    if less:
        result[first] = less
    else:
        del result[first]
    return result


def users_own(document: Mapping[str, Any]) -> Document:
    """Of `document` what is not roar's own."""
    kept: Document = {}
    for name, value in document.items():
        if name in _RESERVED_ROOTS:
            continue
        if name == "dataset":
            if not isinstance(value, Mapping):
                continue
            value = {key: inner for key, inner in value.items() if (name, key) not in _RESERVED}
            if not value:
                continue
        kept[name] = value
    return kept


def flattened(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(`a.b.c`, value) of every leaf, sorted."""
    for name in sorted(document):
        value = document[name]
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
