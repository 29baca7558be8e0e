"""How what was withheld is told: the reason stands where the text was."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from roar_glaas.storage.bulk import rows_with
from roar_glaas.storage.tables import withheld


def reasons(connection: sa.Connection, leaf_indexes: Iterable[int]) -> dict[int, str]:
    """Leaf index -> why that record is withheld, of those that are.

    Ask for rows whose texts are NULL only: no others are withheld, and mostly there are none.
    """
    query = sa.select(withheld.c.leaf_index, withheld.c.reason)
    rows = rows_with(connection, query, withheld.c.leaf_index, set(leaf_indexes))
    return {row.leaf_index: row.reason for row in rows}


def told(text: str | None, reason: str | None) -> str:
    """A text, or that it is withheld and why; as a command, a comment that does nothing."""
    return text or "" if reason is None else f"# withheld: {reason}"
