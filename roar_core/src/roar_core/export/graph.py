"""The lineage graph as one document: all that some jobs came from, told without their machine.

Every exporter gets it, and `--format json` writes it as it is (docs/json.md, "graph"). Jobs,
artifacts and members of datasets are sequences that are read from the database while one goes
through them, so that memory does not grow with the graph.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from blake3 import blake3

from roar_core.errors import NotFoundError, RoarError
from roar_core.export.artifacts import Loaded, artifacts_of
from roar_core.export.jobs import Row, tell_jobs
from roar_core.export.told import Telling
from roar_core.lineage.closure import upstream
from roar_core.redaction import DEFAULT, Redactor
from roar_core.spelling import exact_timestamp

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.target import Target
    from roar_core.store.writer import Store

Document = dict[str, Any]


class Options(NamedTuple):
    """What is told: paths outside the project and host names as they are; secrets as they are.

    `redactor` finds the secrets of what is told without them.
    """

    absolute_paths: bool = False
    with_secrets: bool = False
    redactor: Redactor = DEFAULT


def graph_of(db: sqlite3.Connection, store: Store, target: Target, options: Options) -> Document:
    """The graph of all that `target` came from. `db` must show one state while it is written.

    Raises RoarError for a job that is running or was undone.
    """
    rows = _jobs(db, target)
    sessions = {
        number: _session(db, number) for number in dict.fromkeys(row.session for row in rows)
    }
    host = "" if options.absolute_paths else socket.gethostname()
    uids = frozenset(row.uid for row in rows)
    redactor = None if options.with_secrets else options.redactor
    telling = Telling(sessions, uids, host, options.absolute_paths, redactor)

    return {
        "schema": 1,
        "type": "graph",
        "root": _root(db, target, sessions),
        "absolute_paths": options.absolute_paths,
        "secrets": options.with_secrets,
        "sessions": list(sessions.values()),
        "artifacts": artifacts_of(
            db,
            [row.id for row in rows],
            target.artifacts if target.kind == "artifact" else (),
            redactor,
        ),
        "jobs": Loaded(len(rows), lambda: tell_jobs(db, store, rows, telling)),
    }


def uids_of(db: sqlite3.Connection, target: Target) -> tuple[str, ...]:
    """The jobs of the graph of `target`, oldest first, without reading more of them.

    Raises RoarError as `graph_of`.
    """
    rows = _jobs(db, target)
    if target.kind == "session":
        _root_session(db, target, {row.session for row in rows})
    return tuple(row.uid for row in rows)


def _jobs(db: sqlite3.Connection, target: Target) -> list[Row]:
    """The jobs that are told, oldest first."""
    _refuse_unfinished(db, target)
    ids = sorted(upstream(db, target.jobs).distances)
    found = db.execute(
        "SELECT id, uid, session, input_count + output_count FROM job "
        "WHERE id IN (SELECT value FROM json_each(?)) "
        "AND state <> 'running' AND undone_at_ns IS NULL ORDER BY started_at_ns, id",
        (json.dumps(ids),),
    )
    return [Row(*row) for row in found]


def _refuse_unfinished(db: sqlite3.Connection, target: Target) -> None:
    if target.kind != "job":
        return
    for job in target.jobs:
        state, undone = db.execute(
            "SELECT state, undone_at_ns FROM job WHERE id = ?", (job,)
        ).fetchone()
        if state == "running":
            raise RoarError(f"{target.name} is still running; export it when it has ended")
        if undone is not None:
            raise RoarError(f"{target.name} was undone; export the attempt that stands")


def _root(db: sqlite3.Connection, target: Target, sessions: dict[int, Document]) -> Document:
    if target.kind == "artifact":
        return {"kind": "artifact", "id": target.hash}
    if target.kind == "job":
        uid = db.execute("SELECT uid FROM job WHERE id = ?", target.jobs).fetchone()[0]
        return {"kind": "job", "id": uid}
    number = _root_session(db, target, sessions)
    return {"kind": "session", "id": sessions[number]["id"]}


def _root_session(db: sqlite3.Connection, target: Target, sessions: Collection[int]) -> int:
    """The number of the session that is asked for; it is told when something ended in it."""
    row = None
    if target.jobs:
        row = db.execute("SELECT session FROM job WHERE id = ?", target.jobs[:1]).fetchone()
    if row is None or row[0] not in sessions:
        raise NotFoundError(
            f"nothing has ended in {target.name} yet, so there is nothing to export"
        )
    return int(row[0])


def _session(db: sqlite3.Connection, number: int) -> Document:
    """A session, by a name that is the same in every project it is imported into."""
    imported = db.execute(
        "SELECT origin, number FROM imported_session WHERE session = ?", (number,)
    ).fetchone()
    if imported is None:
        first = db.execute(
            "SELECT uid FROM job WHERE session = ? ORDER BY id LIMIT 1", (number,)
        ).fetchone()[0]
        imported = (blake3(f"roar:session:v1\0{first}".encode()).hexdigest()[:32], number)
    started = db.execute("SELECT started_at_ns FROM session WHERE id = ?", (number,)).fetchone()[0]
    return {"id": imported[0], "number": imported[1], "started_at": exact_timestamp(started)}
