"""How what was withheld is told: the reason stands where the text was."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from roar_glaas.storage.tables import withheld

_AT_ONCE = 500


def reasons(connection: sa.Connection, leaf_indexes: Iterable[int]) -> dict[int, str]:
    """Leaf index -> why that record is withheld, of those that are.

    Ask for rows whose texts are NULL only: no others are withheld, and mostly there are none.
    """
    wanted = sorted(set(leaf_indexes))
    found: dict[int, str] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = connection.execute(
            sa.select(withheld.c.leaf_index, withheld.c.reason).where(
                withheld.c.leaf_index.in_(wanted[start : start + _AT_ONCE])
            )
        )
        found |= {row.leaf_index: row.reason for row in rows}
    return found


def told(text: str | None, reason: str | None) -> str:
    """A text, or that it is withheld and why; as a command, a comment that does nothing."""
    return text or "" if reason is None else f"# withheld: {reason}"
