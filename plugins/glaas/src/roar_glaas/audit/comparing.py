"""What comparing rows with records has in common, whatever is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from roar_glaas.audit.findings import Findings, shown
from roar_glaas.audit.records import Kept
from roar_glaas.storage.blanking import BLANKED

_AT_ONCE = 500


class Comparing:
    """Compares batches of records of one kind with the rows taken from them.

    `seen` counts, by table, the rows that it accounted for and that have no leaf of their own.
    """

    def __init__(self, connection: sa.Connection, findings: Findings, seen: Counter[str]) -> None:
        self._connection = connection
        self._findings = findings
        self._seen = seen

    def _of(
        self, query: sa.Select[Any], table: sa.Table, records: list[Kept]
    ) -> dict[int, list[Any]]:
        """Leaf index -> the rows that name it."""
        found: dict[int, list[Any]] = {}
        indexes = [record.leaf_index for record in records]
        for row in self._select(query, table.c.leaf_index, indexes):
            found.setdefault(row.leaf_index, []).append(row)
        return found

    def _select(self, query: sa.Select[Any], column: Any, values: list[Any]) -> Iterable[Any]:
        """The rows of a query in which a column has one of many values."""
        for start in range(0, len(values), _AT_ONCE):
            part = values[start : start + _AT_ONCE]
            yield from self._connection.execute(query.where(column.in_(part)))

    def _the_row(self, record: Kept, rows: dict[int, list[Any]], table: str) -> Any | None:
        found = rows.get(record.leaf_index, [])
        if len(found) != 1:
            many = "has no row" if not found else f"has {len(found)} rows"
            self._findings.add(
                f"record {record.leaf_index} ({record.kind}) {many} in {table}, and must have one",
                record.leaf_index,
            )
            return None
        if record.is_withheld:
            self._blank(record, table, f"record {record.leaf_index} ({record.kind})", found)
        return found[0]

    def _blank(self, record: Kept, table: str, name: str, rows: list[Any]) -> None:
        left = sorted({c for c in BLANKED[table] for row in rows if getattr(row, c) is not None})
        if left:
            self._findings.add(
                f"{name} is withheld, but {table} still holds {', '.join(left)}", record.leaf_index
            )

    def _compare(self, record: Kept, name: str, wanted: dict[str, Any], row: Any) -> None:
        for column, expected in wanted.items():
            found = getattr(row, column)
            found = bytes(found) if isinstance(found, memoryview) else found
            if found != expected:
                self._findings.add(
                    f"{name}: {column} is {shown(found)} in its row, and {shown(expected)} in "
                    f"its record {record.leaf_index}",
                    record.leaf_index,
                )

    def _compare_parts(
        self, record: Kept, name: str, what: str, wanted: set[Any], found: set[Any]
    ) -> None:
        for part, verb in ((wanted - found, "lacks"), (found - wanted, "has")):
            for one in sorted(part, key=repr)[:3]:
                tail = "that its record names" if verb == "lacks" else "that its record lacks"
                told = ", ".join(shown(value) for value in one if value is not None)
                self._findings.add(
                    f"{name} {verb} the {what} ({told}) {tail}, record {record.leaf_index}",
                    record.leaf_index,
                )
