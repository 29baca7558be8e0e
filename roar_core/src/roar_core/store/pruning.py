"""Taking out of the database what no job needs, and jobs that the user names; and its upkeep."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from roar_core.errors import DatabaseError, RoarError
from roar_core.store.connection import explained, reachable, shown
from roar_core.store.database import Database
from roar_core.store.edges import resolve_again
from roar_core.store.ties import tie_inputs

# References to a pruned job that are emptied; every other row that names it goes with it.
_EMPTIED = {
    ("edge", "producer"),
    ("need", "producer"),
    ("tag_event", "job"),
    ("job", "rerun_of"),
}

# Rows that nothing needs any more, dependants before what they depend on.
_NOT_NEEDED = (
    "CREATE TEMP TABLE unneeded AS SELECT id FROM artifact "
    "WHERE NOT EXISTS (SELECT 1 FROM edge WHERE edge.artifact = artifact.id) "
    "AND NOT EXISTS (SELECT 1 FROM tag_event WHERE tag_event.artifact = artifact.id) "
    "AND id NOT IN (SELECT entity FROM label WHERE entity_type = 'artifact')",
    "DELETE FROM composite_version WHERE artifact IN (SELECT id FROM temp.unneeded)",
    "DELETE FROM composite WHERE artifact IN (SELECT id FROM temp.unneeded)",
    "DELETE FROM digest WHERE artifact IN (SELECT id FROM temp.unneeded)",
    "DELETE FROM label_agreed WHERE entity_type = 'artifact' "
    "AND entity IN (SELECT id FROM temp.unneeded)",
    "DELETE FROM pruned WHERE artifact IN (SELECT id FROM temp.unneeded)",
    "DELETE FROM artifact WHERE id IN (SELECT id FROM temp.unneeded)",
    "DROP TABLE temp.unneeded",
    "DELETE FROM package_set WHERE id NOT IN "
    "(SELECT package_set FROM job WHERE package_set IS NOT NULL)",
    "DELETE FROM source_set WHERE id NOT IN (SELECT source_set FROM job_source)",
    "DELETE FROM environment WHERE id NOT IN "
    "(SELECT environment FROM job WHERE environment IS NOT NULL)",
)


class Pruned(NamedTuple):
    """Rows that went, or would go, by table; and the snapshots that no job names any more.

    `unregistered` are the uids of jobs among them that stand, and that no registry has.
    """

    rows: dict[str, int]
    snapshots: tuple[Path, ...]
    unregistered: tuple[str, ...] = ()


class _Undo(Exception):
    """Rolls a trial back."""


def prune(
    store: Database, jobs: Sequence[int], objects: Path, *, cache: bool = False, trial: bool = False
) -> Pruned:
    """Delete these jobs (ids), all that is theirs, and all that no job needs, in one transaction.

    `cache` empties the stat cache too. Nothing is changed by a `trial`; snapshots are named, and
    left for the caller to delete. Raises `RoarError` when one of the jobs is still running.
    """
    result = Pruned({}, ())
    try:
        with store.writing() as db:
            tables = [
                name
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            before = _sizes(db, tables)
            doomed = _with_tasks(db, jobs)
            unregistered = unregistered_of(db, doomed)
            _remember_makers(db, doomed)
            _delete_jobs(db, doomed)
            for statement in _NOT_NEEDED:
                db.execute(statement)
            if cache:
                db.execute("DELETE FROM stat_cache")
            after = _sizes(db, tables)
            rows = {name: before[name] - after[name] for name in tables}
            named = {row[0] for row in db.execute("SELECT DISTINCT git_snapshot FROM job")}
            unnamed = tuple(p for p in _snapshots(objects) if _name_of(p) not in named)
            gone = {name: number for name, number in rows.items() if number > 0}
            result = Pruned(gone, unnamed, unregistered)
            if trial:
                raise _Undo
    except _Undo:
        return result
    return result


def vacuum(path: Path) -> tuple[int, int]:
    """Give back the room of deleted rows; the size in bytes before and after.

    Raises DatabaseError when another process uses the database all the while, or the disk is full.
    """
    before = _size(path)
    with explained(path), closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return before, _size(path)


def export(path: Path, target: Path, *, force: bool = False) -> int:
    """Write a consistent copy of the database to `target`, readable by its owner; its size.

    Others may record meanwhile. Raises RoarError when there is a file already and not `force`.
    """
    if os.path.lexists(target) and not force:
        raise RoarError(f"{shown(target)} exists; choose another name, or overwrite it: --force")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with reachable(part):
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with (
            explained(path),
            closing(sqlite3.connect(path, timeout=30)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy)
            # One file: a copy that is carried off must not want its -wal.
            copy.execute("PRAGMA journal_mode = DELETE")
        with reachable(target):
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def unregistered_of(db: sqlite3.Connection, jobs: Sequence[int]) -> tuple[str, ...]:
    """The uids of those of these jobs that stand and that this machine knows of no registry to
    have; an imported one is known where it came from."""
    rows = db.execute(
        "SELECT uid FROM job WHERE id IN (SELECT value FROM json_each(?)) AND id > 0 "
        "AND undone_at_ns IS NULL AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.job = id) "
        "ORDER BY id",
        (json.dumps(list(jobs)),),
    )
    return tuple(row[0] for row in rows)


def unregistered_makers(db: sqlite3.Connection, uids: Iterable[str]) -> dict[str, int]:
    """Of pruned jobs that no registry had, how many inputs of these jobs they had made, by uid.

    Inputs that another job is known to have made as well are not counted.
    """
    rows = db.execute(
        "SELECT pruned.uid, count(*) FROM json_each(?) CROSS JOIN job ON job.uid = value "
        "CROSS JOIN edge ON edge.job = job.id AND edge.direction = 0 AND edge.producer IS NULL "
        "JOIN pruned ON pruned.artifact = edge.artifact WHERE NOT is_registered "
        "GROUP BY pruned.uid ORDER BY pruned.uid",
        (json.dumps(list(uids)),),
    )
    return {str(uid): int(number) for uid, number in rows}


def _remember_makers(db: sqlite3.Connection, jobs: Sequence[int]) -> None:
    """Note down who made what others read, before that is forgotten with them."""
    db.execute(
        "INSERT OR REPLACE INTO pruned SELECT DISTINCT made.artifact, job.uid, EXISTS "
        "(SELECT 1 FROM receipt WHERE receipt.job = job.id) OR job.id < 0, ? "
        "FROM json_each(?) CROSS JOIN job ON job.id = value "
        "CROSS JOIN edge made ON made.job = job.id AND made.direction = 1 "
        "WHERE job.undone_at_ns IS NULL AND made.artifact IS NOT NULL AND made.size > 0 "
        "AND EXISTS (SELECT 1 FROM edge read WHERE read.artifact = made.artifact "
        "AND read.direction = 0 AND read.job <> job.id)",
        (time.time_ns(), json.dumps(list(jobs))),
    )


def _with_tasks(db: sqlite3.Connection, jobs: Sequence[int]) -> list[int]:
    """These jobs and all that they started. Raises RoarError when one of them is running."""
    wanted = json.dumps(list(jobs))
    rows = db.execute(
        "WITH RECURSIVE below (id, uid) AS ("
        "SELECT id, uid FROM job WHERE id IN (SELECT value FROM json_each(?)) UNION "
        "SELECT job.id, job.uid FROM below JOIN job ON job.parent = below.uid) "
        "SELECT job.id, job.uid, job.state FROM below JOIN job ON job.id = below.id",
        (wanted,),
    ).fetchall()
    for _, uid, state in rows:
        if state == "running":
            raise RoarError(f"job {uid[:8]} is still running; stop it before pruning it")
    return [row[0] for row in rows]


def _delete_jobs(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    # Hidden first, so that readers of its bytes find who else made them.
    db.executemany(
        "UPDATE job SET undone_at_ns = coalesce(undone_at_ns, 1) WHERE id = ?",
        [(job,) for job in ids],
    )
    readers: set[int] = set()
    for job in ids:
        readers |= {
            reader
            for (reader,) in db.execute("SELECT consumer FROM passing WHERE producer = ?", (job,))
        }
        resolve_again(db, job)
    _delete(db, "job", "id", ids)
    for table in ("label", "label_agreed"):
        db.execute(
            f"DELETE FROM {table} WHERE entity_type = 'job' "  # noqa: S608 - one of two names
            "AND entity IN (SELECT value FROM json_each(?))",
            (json.dumps(ids),),
        )
    for reader in sorted(readers.difference(ids)):
        tie_inputs(db, reader)


def _delete(db: sqlite3.Connection, table: str, column: str, values: Sequence[object]) -> None:
    """Delete the rows whose `column` is one of `values`, and first every row that names them.

    Which these are the schema says, so that a table made later is not forgotten.
    """
    if not values:
        return
    those = f"WHERE {column} IN (SELECT value FROM json_each(?))"  # noqa: S608 - the schema's names
    for child, child_column, named in _references_to(db, table):
        keys = values
        if named != column:
            found = db.execute(f"SELECT {named} FROM {table} {those}", (json.dumps(values),))  # noqa: S608
            keys = [row[0] for row in found]
        if (child, child_column) in _EMPTIED:
            db.execute(
                f"UPDATE {child} SET {child_column} = NULL "  # noqa: S608
                f"WHERE {child_column} IN (SELECT value FROM json_each(?))",
                (json.dumps(keys),),
            )
        else:
            _delete(db, child, child_column, keys)
    db.execute(f"DELETE FROM {table} {those}", (json.dumps(values),))  # noqa: S608


def _references_to(db: sqlite3.Connection, table: str) -> list[tuple[str, str, str]]:
    """(table, column, column it names) of each foreign key to `table`."""
    return db.execute(
        'SELECT other.name, key."from", key."to" FROM sqlite_master other '
        'JOIN pragma_foreign_key_list(other.name) key ON key."table" = ? '
        "WHERE other.type = 'table'",
        (table,),
    ).fetchall()


def _sizes(db: sqlite3.Connection, tables: Iterable[str]) -> dict[str, int]:
    return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608


def _snapshots(objects: Path) -> Iterator[Path]:
    """Files of the object store by the shape of their names; anything else is not ours."""
    for path in objects.glob("[0-9a-f][0-9a-f]/*"):
        if len(path.name) == 62 and set(path.name) <= set("0123456789abcdef"):
            yield path


def _name_of(path: Path) -> str:
    return f"blake3:{path.parent.name}{path.name}"


def _size(path: Path) -> int:
    log = path.with_name(f"{path.name}-wal")
    if not path.exists():
        raise DatabaseError(f"there is no database {shown(path)}")
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)
