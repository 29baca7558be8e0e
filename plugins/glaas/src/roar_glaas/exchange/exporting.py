"""Write an export: every session that one may see, with all that belongs to it, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller, Role
from roar_glaas.access.visibility import visible
from roar_glaas.exchange.lines import (
    FORMAT,
    OF_SESSION,
    RECORD,
    VERSION,
    Name,
    copied,
    references,
    spelled,
)
from roar_glaas.log.later import later_records
from roar_glaas.moments import now_us
from roar_glaas.storage.bulk import rows_with
from roar_glaas.storage.tables import (
    artifact,
    component,
    edge,
    job,
    label,
    owner,
    project,
    record_bytes,
    session,
)

_SESSIONS_AT_ONCE = 20
_LABELS_AT_ONCE = 500


def export(connection: sa.Connection, caller: Caller) -> Iterator[bytes]:
    """The lines of an export of all that `caller` may see, each ended.

    Memory grows with the largest session, and by a few bytes for each.
    """
    lines = 0
    header = {"format": FORMAT, "version": VERSION, "exported_at_us": now_us()}
    for line in _lines(connection, caller):
        if lines == 0:
            yield _written("header", header)
        lines += 1
        yield line
    if lines == 0:
        yield _written("header", header)
    yield _written("end", {"lines": lines})


def everybody(connection: sa.Connection) -> Caller:
    """Somebody who may see everything: the keeper of the database, not anybody over HTTP."""
    owners = connection.execute(sa.select(owner.c.id)).scalars()
    return Caller(owners=dict.fromkeys(owners, Role.READER))


def _lines(connection: sa.Connection, caller: Caller) -> Iterator[bytes]:
    people = _People(connection)
    later = later_records(connection)
    last = 0
    while True:
        rows = connection.execute(
            sa.select(session)
            .where(session.c.id > last, visible(caller))
            .order_by(session.c.id)
            .limit(_SESSIONS_AT_ONCE)
        ).all()
        if not rows:
            break
        last = rows[-1].id
        yield from people.of(rows)
        yield from _sessions(connection, caller, people, rows, later)
    yield from _labels(connection, caller)


class _People:
    """Owners and projects, each told before the first session that names it."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.names: dict[str, dict[int, Name]] = {"owner": {}, "project": {}}

    def of(self, rows: Sequence[Any]) -> Iterator[bytes]:
        named = references(session)
        for table in (project, owner):
            columns = [column for column, target in named.items() if target == table.name]
            wanted = {getattr(row, column) for row in rows for column in columns} - {None}
            for row in self._new(table, wanted):
                if table is project:
                    for other in self._new(owner, {row.owner_id}):
                        yield self._told(owner, other)
                yield self._told(table, row)

    def _new(self, table: sa.Table, ids: set[int]) -> list[Any]:
        wanted = ids - self.names[table.name].keys()
        found = list(rows_with(self._connection, sa.select(table), table.c.id, wanted))
        self.names[table.name] |= {row.id: row.public_id for row in found}
        return found

    def _told(self, table: sa.Table, row: Any) -> bytes:
        return _row(table, row, self.names)


def _sessions(
    connection: sa.Connection,
    caller: Caller,
    people: _People,
    sessions: Sequence[Any],
    later: Mapping[str, Sequence[int]],
) -> Iterator[bytes]:
    """Some sessions: the records that they were taken from, the artifacts in them, their rows."""
    hashes = {row.id: bytes(row.hash).hex() for row in sessions}
    found: dict[str, list[Any]] = {"session": list(sessions)}
    for table in OF_SESSION:
        key, ids = table.c.get("session_id"), set(hashes)
        if table is component:
            key, ids = component.c.composite_id, {row.id for row in found["composite"]}
        elif table is edge:
            key, ids = edge.c.job_id, {row.id for row in found["job"]}
        assert key is not None
        ordered = sa.select(table).order_by(*table.primary_key.columns)
        found[table.name] = list(rows_with(connection, ordered, key, ids))
    artifacts = {
        getattr(row, column)
        for table in OF_SESSION
        for column, target in references(table).items()
        if target == "artifact"
        for row in found[table.name]
    }
    named = list(rows_with(connection, sa.select(artifact), artifact.c.id, artifacts))
    names = people.names | {
        "session": hashes,
        "job": _parents(connection, caller, found["job"])
        | {row.id: [hashes[row.session_id], bytes(row.uid).hex()] for row in found["job"]},
        "artifact": {row.id: [row.algorithm, bytes(row.digest).hex()] for row in named},
        "composite": _numbered(found["composite"], hashes),
    }
    rows = [row for table in (session, *OF_SESSION) for row in _logged(table, found[table.name])]
    more = {number for digest in hashes.values() for number in later.get(digest, ())}
    yield from _records(connection, rows, more)
    for row in named:
        yield _row(artifact, row, {})
    for table in (session, *OF_SESSION):
        for row in found[table.name]:
            yield _row(table, row, names)


def _parents(connection: sa.Connection, caller: Caller, jobs: Iterable[Any]) -> dict[int, Name]:
    """How the jobs that started some are called; None: the caller may not see that one."""
    ids = {row.parent_id for row in jobs} - {None}
    query = (
        sa.select(job.c.id, job.c.uid, session.c.hash)
        .join(session, session.c.id == job.c.session_id)
        .where(visible(caller))
    )
    seen = rows_with(connection, query, job.c.id, ids)
    names = {row.id: [bytes(row.hash).hex(), bytes(row.uid).hex()] for row in seen}
    return dict.fromkeys(ids) | names


def _numbered(rows: Iterable[Any], hashes: dict[int, str]) -> dict[int, Name]:
    counts: dict[int, int] = {}
    found: dict[int, Name] = {}
    for row in rows:
        number = counts.get(row.session_id, 0)
        counts[row.session_id] = number + 1
        found[row.id] = [hashes[row.session_id], number]
    return found


def _labels(connection: sa.Connection, caller: Caller) -> Iterator[bytes]:
    """Label documents, in the order in which they came."""
    last = 0
    while True:
        rows = connection.execute(
            sa.select(label, session.c.hash, job.c.uid, artifact.c.algorithm, artifact.c.digest)
            .join(session, session.c.id == label.c.session_id)
            .outerjoin(job, job.c.id == label.c.job_id)
            .outerjoin(artifact, artifact.c.id == label.c.artifact_id)
            .where(label.c.id > last, visible(caller))
            .order_by(label.c.id)
            .limit(_LABELS_AT_ONCE)
        ).all()
        if not rows:
            return
        last = rows[-1].id
        yield from _records(connection, rows)
        for row in rows:
            digest = bytes(row.hash).hex()
            names: dict[str, dict[int, Name]] = {"session": {row.session_id: digest}}
            if row.job_id is not None:
                names["job"] = {row.job_id: [digest, bytes(row.uid).hex()]}
            if row.artifact_id is not None:
                name = [row.algorithm, bytes(row.digest).hex()]
                names["artifact"] = {row.artifact_id: name}
            yield _row(label, row, names)


def _logged(table: sa.Table, rows: Iterable[Any]) -> Iterable[Any]:
    return rows if RECORD in table.c else ()


def _records(
    connection: sa.Connection, rows: Iterable[Any], more: Set[int] = frozenset()
) -> Iterator[bytes]:
    """The log's records that rows were taken from, and `more`, as `{"number", "document"}`.

    The document is null when the record is withheld.
    """
    wanted = {getattr(row, RECORD) for row in rows} | more
    query = sa.select(record_bytes.c.leaf_index, record_bytes.c.bytes)
    known = {
        row.leaf_index: bytes(row.bytes)
        for row in rows_with(connection, query, record_bytes.c.leaf_index, wanted)
    }
    for number in sorted(wanted):
        content = known.get(number)
        document = None if content is None else json.loads(content)
        yield _written("record", {"number": number, "document": document})


def _row(table: sa.Table, row: Any, names: dict[str, dict[int, Name]]) -> bytes:
    told = spelled(table, row, copied(table))
    for column, target in references(table).items():
        number = getattr(row, column)
        told[column] = None if number is None else names[target][number]
    if RECORD in table.c:
        told[RECORD] = getattr(row, RECORD)
    return _written(table.name, {"row": told})


def _written(kind: str, told: dict[str, Any]) -> bytes:
    text = json.dumps({"kind": kind, **told}, ensure_ascii=False, separators=(",", ":"))
    return text.encode() + b"\n"
