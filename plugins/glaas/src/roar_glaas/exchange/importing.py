"""Read an export into an empty registry: whole, in one transaction, or not at all.

Hashes, times and whom things belong to stay; numbers are given out anew, and the records go into
the registry's own log. Accounts come without passwords and tokens: those are never exported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_core.identity import canonical_json
from roar_glaas.errors import GlaasError
from roar_glaas.exchange.lines import PEOPLE, RECORD, TABLES, Name, copied, references
from roar_glaas.exchange.reading import batches
from roar_glaas.labels.values import note_values
from roar_glaas.log.appending import Record, append
from roar_glaas.moments import now_us
from roar_glaas.storage.bulk import insert_rows, reserve_ids, rows_with
from roar_glaas.storage.tables import artifact, job, label, session

_OF_BLOCK = ("job", "artifact", "composite")

Line = dict[str, Any]


class Imported(NamedTuple):
    """How much came in."""

    sessions: int
    jobs: int
    labels: int


def import_lines(connection: sa.Connection, lines: Iterable[bytes]) -> Imported:
    """Register what an export holds. Call it in `Database.append`, and commit nothing if it raises.

    Raises GlaasError naming the line for what is no export of this version, or is not whole, and
    when something is registered here already.
    """
    if connection.execute(sa.select(session.c.id).limit(1)).scalar() is not None:
        raise GlaasError("something is registered here already; import into an empty registry")
    reader = _Reader(connection)
    for kind, batch in batches(lines):
        try:
            reader.take(kind, [content for _, content in batch])
        except (KeyError, TypeError, ValueError, AttributeError, sa.exc.StatementError) as error:
            place = f"lines {batch[0][0]} to {batch[-1][0]}"
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise GlaasError(f"{place} do not hold together as {kind}: {reason}") from error
    return Imported(*(reader.counts.get(name, 0) for name in ("session", "job", "label")))


class _Reader:
    """Puts lines into the database, and knows the numbers of what it has read by name.

    Names of owners, projects and sessions are kept; those of other things until the next block of
    sessions begins, with its records: labels, which come last, have theirs looked up.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.counts: dict[str, int] = {}
        self._connection = connection
        self._ids: dict[str, dict[Name, int]] = {name: {} for name in TABLES}
        self._leaves: dict[int, int] = {}
        self._last = ""

    def take(self, kind: str, batch: list[Line]) -> None:
        """Insert what lines of one kind say."""
        if kind == "record":
            self._append(batch)
        else:
            self._insert(TABLES[kind], batch)
        self._last = kind

    def _append(self, batch: list[Line]) -> None:
        if self._last != "record":
            self._leaves.clear()
            for name in _OF_BLOCK:
                self._ids[name].clear()
        records = []
        for line in batch:
            # Of what is withheld there, something must be said here too, for rows to refer to.
            document = dict(line["document"] or {"kind": "elsewhere", "v": 1})
            kind = document.pop("kind")
            if document.pop("v") != 1:
                raise ValueError("a record of another version")
            records.append(Record(kind, document))
        numbers = (line["number"] for line in batch)
        indexes = append(self._connection, records, now_us(), canonical=canonical_json)
        self._leaves |= dict(zip(numbers, indexes, strict=True))

    def _insert(self, table: sa.Table, batch: list[Line]) -> None:
        ids: list[int] = []
        if "id" in table.c:
            names = [self._own_name(table, line) for line in batch]
            known = self._known(table, names)
            batch = [line for name, line in zip(names, batch, strict=True) if name not in known]
            ids = reserve_ids(self._connection, table, len(batch)) if batch else []
            new = (name for name in names if name not in known)
            self._ids[table.name] |= known | dict(zip(new, ids, strict=True))
        told, named = copied(table), references(table)
        columns = (*(("id",) if "id" in table.c else ()), *told, *named)
        columns += (RECORD,) if RECORD in table.c else ()
        rows = []
        for place, line in enumerate(batch):
            row: list[Any] = [ids[place]] if ids else []
            row += [_value(table.c[name], line[name]) for name in told]
            row += [self._number(target, line[name]) for name, target in named.items()]
            row += [self._leaves[line[RECORD]]] if RECORD in table.c else []
            rows.append(row)
        insert_rows(self._connection, table, columns, rows)
        if table is label:
            documents = zip(ids, (line["document"] for line in batch), strict=True)
            note_values(self._connection, [one for one in documents if one[1] is not None])
        self.counts[table.name] = self.counts.get(table.name, 0) + len(batch)

    def _own_name(self, table: sa.Table, line: Line) -> Name:
        if table in PEOPLE:
            return line["public_id"]
        if table is session:
            return line["hash"]
        if table is artifact:
            return line["algorithm"], line["digest"]
        if table is job:
            return line["session_id"], line["uid"]
        # The n-th of its session: datasets are named so; of facts and labels nobody asks.
        count = self.counts.setdefault(f"{table.name} of {line['session_id']}", 0)
        self.counts[f"{table.name} of {line['session_id']}"] += 1
        return line["session_id"], count

    def _known(self, table: sa.Table, names: list[Name]) -> dict[Name, int]:
        """What is in the database already: nobody's account, artifacts of another session."""
        if table in PEOPLE:
            query = sa.select(table.c.id, table.c.public_id)
            rows = rows_with(self._connection, query, table.c.public_id, set(names))
            return {row.public_id: row.id for row in rows}
        if table is artifact:
            wanted = set(names)
            digests = {bytes.fromhex(digest) for _, digest in wanted}
            rows = rows_with(self._connection, sa.select(artifact), artifact.c.digest, digests)
            found = {(row.algorithm, bytes(row.digest).hex()): row.id for row in rows}
            return {name: found[name] for name in wanted if name in found}
        return {}

    def _number(self, target: str, name: Name) -> int | None:
        """The number of what a line refers to; raises KeyError when the export does not hold it."""
        if name is None:
            return None
        key = tuple(name) if isinstance(name, list) else name
        ids = self._ids[target]
        if key not in ids and target == "job":
            found = self._connection.execute(
                sa.select(job.c.id).where(
                    job.c.session_id == self._ids["session"][key[0]],
                    job.c.uid == bytes.fromhex(key[1]),
                )
            ).scalar()
            if found is not None:
                ids[key] = found
        if key not in ids and target == "artifact":
            ids |= self._known(artifact, [key])
        return ids[key]


def _most(column: sa.Column[Any]) -> int:
    return 2**63 if isinstance(column.type, sa.BigInteger) else 2**31


def _value(column: sa.Column[Any], value: Any) -> Any:
    """A value as the database takes it; raises ValueError for one of another type."""
    if value is None:
        if not column.nullable:
            raise ValueError(f"{column.name} is null")
        return None
    if isinstance(column.type, sa.LargeBinary):
        return bytes.fromhex(value)
    if type(value) is not column.type.python_type:
        raise ValueError(f"{column.name} is {value!r}"[:200])
    if isinstance(value, int) and abs(value) >= _most(column):
        raise ValueError(f"{column.name} is too large")
    if isinstance(value, str) and "\0" in value:
        raise ValueError(f"{column.name} holds a NUL")
    return value
