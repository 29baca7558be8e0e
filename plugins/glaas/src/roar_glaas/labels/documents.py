"""Label documents as values: merged, without some keys, with the origin of each. Pure.

A document is a JSON object; a key is the path to a leaf of it, its parts joined by dots.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from roar_glaas.door import MOST_CHARACTERS, Door
from roar_glaas.errors import BadRequest, Unprocessable

Document = dict[str, Any]

USER = "user"
SYSTEM = "system"
DEEPEST = 32
# What roar sets by itself (protocol, section 7): nobody edits it by hand.
_RESERVED_ROOTS = ("roar", "tag", "attach")
_RESERVED = {
    f"dataset.{name}"
    for name in (
        *("type", "id", "fingerprint", "fingerprint_algorithm"),
        *("split", "version_hint", "modality"),
    )
}


def written(document: Document) -> str:
    """A document as it is kept: keys sorted, no spaces. Raises Unprocessable for one too long."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if len(text) > MOST_CHARACTERS:
        raise Unprocessable(f"the labels would grow beyond {MOST_CHARACTERS} characters")
    return text


def leaves(document: Document, before: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """(key, value) of every leaf; lists and empty objects are leaves.

    Raises BadRequest beyond DEEPEST levels.
    """
    if depth > DEEPEST:
        raise BadRequest(f"metadata is nested deeper than {DEEPEST} levels")
    for name, value in document.items():
        key = f"{before}{name}"
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{key}.", depth + 1)
        else:
            yield key, value


def is_reserved(key: str) -> bool:
    """Whether roar sets this key, and no person does."""
    return key.partition(".")[0] in _RESERVED_ROOTS or any(
        key == name or key.startswith(f"{name}.") for name in _RESERVED
    )


def merged(document: Document, patch: Document) -> Document:
    """`document` with the leaves of `patch` in it."""
    found = dict(document)
    for name, value in patch.items():
        old = found.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        found[name] = merged(old, value) if both else value  # type: ignore[arg-type]
    return found


def without(document: Document, keys: Iterable[str]) -> Document:
    """`document` without what is at `keys`, nor the objects that become empty by it."""
    found = copy.deepcopy(document)
    for key in keys:
        _remove(found, key)
    return found


def _remove(document: Document, key: str) -> None:
    if key in document:
        del document[key]
        return
    head, _, rest = key.partition(".")
    inner = document.get(head)
    if rest and isinstance(inner, dict):
        _remove(inner, rest)
        if not inner:
            del document[head]


def origins_sent(entry: Door, origins: Mapping[str, str]) -> dict[str, str]:
    """The origins that a client states, each `user` or `system`. Raises BadRequest."""
    return {
        entry.text(key, "key_origins"): SYSTEM if origin == SYSTEM else USER
        for key, origin in origins.items()
    }


def origins_after(
    document: Document, origins: Mapping[str, str], changed: Iterable[str]
) -> dict[str, str]:
    """The origin of each key of an edited document: `changed` keys are the user's now."""
    mine = set(changed)
    return {
        key: USER if key in mine else origins.get(key, SYSTEM if is_reserved(key) else USER)
        for key, _ in leaves(document)
    }
