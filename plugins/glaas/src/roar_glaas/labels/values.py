"""The values of label documents, one by one: what labels are searched by."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from roar_glaas.labels.documents import leaves
from roar_glaas.storage.bulk import insert_rows
from roar_glaas.storage.tables import label_value

_MOST_VALUES = 1_000
MOST_CHARACTERS = 255


def note_values(connection: sa.Connection, labels: Iterable[tuple[int, str]]) -> None:
    """Have labels, (id, document) each, found by what they say: for every row put into `label`.

    Of a document the first 1,000 values count.
    """
    rows = [
        (key, value, label_id, ordinal)
        for label_id, document in labels
        for key, value, ordinal in values_of(json.loads(document))
    ]
    insert_rows(connection, label_value, ("key", "value", "label_id", "ordinal"), rows)


def spelled(value: Any) -> str:
    """A value as it is looked up: a text as it is, anything else as JSON; 255 characters of it."""
    return (value if isinstance(value, str) else json.dumps(value))[:MOST_CHARACTERS]


def values_of(document: dict[str, Any]) -> list[tuple[str, str, int]]:
    """(dotted key, value, which of the values under that key) of everything in a document."""
    found: dict[tuple[str, str], int] = {}
    counts: dict[str, int] = {}
    for key, value in leaves(document):
        name = key[:MOST_CHARACTERS]
        for one in value if isinstance(value, list) else [value]:
            pair = (name, spelled(one))
            if pair not in found and len(found) < _MOST_VALUES:
                found[pair] = counts.get(name, 0)
                counts[name] = found[pair] + 1
    return [(key, value, ordinal) for (key, value), ordinal in found.items()]
