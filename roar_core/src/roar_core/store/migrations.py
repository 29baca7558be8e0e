"""Forward-only changes of the schema: a database never goes back, an older roar refuses a newer.

To change the schema: edit schema.sql, append a function to UPGRADES that brings a database of the
version before to the same shape, and dump a database of the old version for its test.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from roar_core.errors import DatabaseError

Upgrade = Callable[[sqlite3.Connection], None]


def references_of_servers(db: sqlite3.Connection) -> None:
    """A tracker reference may name a server without a run."""
    db.execute("ALTER TABLE tracker_reference RENAME TO old_reference")
    db.execute(
        "CREATE TABLE tracker_reference (id INTEGER PRIMARY KEY, "
        "job INTEGER NOT NULL REFERENCES job (id), tracker TEXT NOT NULL, run_id TEXT, "
        "project TEXT, entity TEXT, name TEXT, url TEXT, host TEXT, title TEXT)"
    )
    db.execute(
        "INSERT INTO tracker_reference (job, tracker, run_id, project, entity, name, url) "
        "SELECT job, tracker, run_id, project, entity, name, url FROM old_reference"
    )
    db.execute("DROP TABLE old_reference")
    db.execute("CREATE INDEX tracker_reference_by_job ON tracker_reference (job)")


def members_as_columns(db: sqlite3.Connection) -> None:
    """Datasets get members, which nothing had recorded before."""
    db.execute("DROP TABLE component")
    db.execute("DROP TABLE composite")
    db.execute(
        "CREATE TABLE composite (artifact INTEGER PRIMARY KEY REFERENCES artifact (id), "
        "layout TEXT NOT NULL, member_count INTEGER NOT NULL, paths BLOB, digests BLOB, "
        "sizes BLOB, kinds BLOB, bloom_bits INTEGER, bloom_hashes INTEGER, bloom BLOB)"
    )
    db.execute(
        "CREATE TABLE composite_version (version BLOB PRIMARY KEY, "
        "artifact INTEGER NOT NULL REFERENCES composite (artifact)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE composite_use (edge INTEGER PRIMARY KEY REFERENCES edge (id), "
        "members INTEGER, touched INTEGER NOT NULL, is_whole INTEGER NOT NULL, bitmap BLOB)"
    )
    db.execute(
        "CREATE TABLE composite_source (edge INTEGER NOT NULL REFERENCES edge (id), "
        "job INTEGER NOT NULL REFERENCES job (id), PRIMARY KEY (edge, job)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX composite_source_by_job ON composite_source (job)")
    db.execute(
        "CREATE VIEW passing (consumer, producer, artifact, edge) AS "
        "SELECT job, producer, artifact, id FROM edge WHERE direction = 0 AND producer IS NOT NULL "
        "UNION ALL SELECT edge.job, source.job, edge.artifact, edge.id "
        "FROM composite_source source JOIN edge ON edge.id = source.edge"
    )


def add_tasks(db: sqlite3.Connection) -> None:
    """A child job tells which attempt at which task it is, and what of that is merged."""
    db.execute(
        "CREATE TABLE task (job INTEGER PRIMARY KEY REFERENCES job (id), "
        "driver INTEGER NOT NULL REFERENCES job (id), backend TEXT NOT NULL, task TEXT NOT NULL, "
        "attempt INTEGER NOT NULL, place TEXT NOT NULL, UNIQUE (driver, backend, task, attempt))"
    )
    db.execute(
        "CREATE TABLE task_part (job INTEGER NOT NULL REFERENCES task (job), "
        "part TEXT NOT NULL, PRIMARY KEY (job, part)) WITHOUT ROWID"
    )


def sessions_from_elsewhere(db: sqlite3.Connection) -> None:
    """Sessions may have been imported."""
    db.execute(
        "CREATE TABLE imported_session (session INTEGER PRIMARY KEY REFERENCES session (id), "
        "origin TEXT NOT NULL UNIQUE, number INTEGER NOT NULL, imported_at_ns INTEGER NOT NULL)"
    )


def sources_of_jobs(db: sqlite3.Connection) -> None:
    """Jobs tell which files of their commit they read as code."""
    db.execute(
        "CREATE TABLE source_set (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, "
        "content BLOB NOT NULL)"
    )
    db.execute(
        "CREATE TABLE job_source (job INTEGER PRIMARY KEY REFERENCES job (id), "
        "source_set INTEGER NOT NULL REFERENCES source_set (id))"
    )


def tags_of_jobs(db: sqlite3.Connection) -> None:
    """A run may be told which tags it puts on its outputs, and which it stops."""
    db.execute(
        "CREATE TABLE job_tag (job INTEGER NOT NULL REFERENCES job (id), "
        "action TEXT NOT NULL CHECK (action IN ('add', 'block')), kind TEXT NOT NULL, "
        "value TEXT NOT NULL, PRIMARY KEY (job, action, kind, value)) WITHOUT ROWID"
    )


def registrations(db: sqlite3.Connection) -> None:
    """What is registered where is remembered, and how far an unfinished registration has come."""
    db.execute(
        "CREATE TABLE receipt (job INTEGER NOT NULL REFERENCES job (id), registry TEXT NOT NULL, "
        "owner TEXT NOT NULL, session_hash TEXT NOT NULL, visibility TEXT NOT NULL "
        "CHECK (visibility IN ('private', 'public')), url TEXT, learnt_at_ns INTEGER NOT NULL, "
        "PRIMARY KEY (job, registry, owner)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE registration (registry TEXT NOT NULL, owner TEXT NOT NULL, "
        "name TEXT NOT NULL, content BLOB NOT NULL, uids TEXT NOT NULL, sent INTEGER NOT NULL, "
        "session_hash TEXT, url TEXT, begun_at_ns INTEGER NOT NULL, "
        "PRIMARY KEY (registry, owner)) WITHOUT ROWID"
    )


def logs_and_labels_of_registries(db: sqlite3.Connection) -> None:
    """Where jobs lie in a registry's log, and what labels both sides had in common, are kept."""
    db.execute(
        "CREATE TABLE logged (job INTEGER NOT NULL REFERENCES job (id), registry TEXT NOT NULL, "
        "session_hash TEXT NOT NULL, leaf INTEGER NOT NULL, size INTEGER NOT NULL, "
        "proven_at_ns INTEGER NOT NULL, PRIMARY KEY (job, registry, session_hash)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE label_agreed (entity_type TEXT NOT NULL "
        "CHECK (entity_type IN ('session', 'job', 'artifact')), entity INTEGER NOT NULL, "
        "registry TEXT NOT NULL, session_hash TEXT NOT NULL, version INTEGER NOT NULL, "
        "metadata TEXT NOT NULL, agreed_at_ns INTEGER NOT NULL, "
        "PRIMARY KEY (entity_type, entity, registry, session_hash)) WITHOUT ROWID"
    )


def versions_of_objects(db: sqlite3.Connection) -> None:
    """What was got and put is remembered in the version that a store gave it."""
    db.execute(
        "CREATE TABLE object_version (edge INTEGER PRIMARY KEY REFERENCES edge (id), "
        "version TEXT, etag TEXT)"
    )


def results_between_tasks(db: sqlite3.Connection) -> None:
    """Tasks tell whose results they got, their role, and whether anything was observed."""
    for column in (
        "role TEXT NOT NULL DEFAULT 'task' CHECK (role IN ('task', 'infrastructure'))",
        "grouped TEXT NOT NULL DEFAULT ''",
        "is_declared INTEGER NOT NULL DEFAULT 0",
    ):
        db.execute(f"ALTER TABLE task ADD COLUMN {column}")
    db.execute(
        "CREATE TABLE need (job INTEGER NOT NULL REFERENCES job (id), backend TEXT NOT NULL, "
        "task TEXT NOT NULL, producer INTEGER REFERENCES job (id), given_at_ns INTEGER, "
        "PRIMARY KEY (job, backend, task)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX need_by_task ON need (task, backend)")
    db.execute("CREATE INDEX need_by_producer ON need (producer) WHERE producer IS NOT NULL")
    db.execute("CREATE INDEX need_by_time ON need (job, given_at_ns) WHERE given_at_ns IS NOT NULL")
    db.execute("DROP INDEX job_by_parent")
    db.execute("CREATE INDEX job_by_parent ON job (parent, started_at_ns) WHERE parent IS NOT NULL")


def ranges_of_objects(db: sqlite3.Connection) -> None:
    """Of an object that was read in part it is kept which part."""
    db.execute("ALTER TABLE object_version ADD COLUMN ranges TEXT")


def makers_that_are_gone(db: sqlite3.Connection) -> None:
    """Of bytes that are still read, which job made them is remembered when it is pruned."""
    db.execute(
        "CREATE TABLE pruned (artifact INTEGER NOT NULL REFERENCES artifact (id), "
        "uid TEXT NOT NULL, is_registered INTEGER NOT NULL, pruned_at_ns INTEGER NOT NULL, "
        "PRIMARY KEY (artifact, uid)) WITHOUT ROWID"
    )


def machines_of_owners(db: sqlite3.Connection) -> None:
    """On which machine a job's roar runs: only there can be seen whether it still does."""
    db.execute("ALTER TABLE job ADD COLUMN owner_machine TEXT")


# UPGRADES[n] brings version n + 1 to n + 2; the function's name goes into schema_migration.
UPGRADES: tuple[Upgrade, ...] = (
    references_of_servers,
    members_as_columns,
    add_tasks,
    sessions_from_elsewhere,
    sources_of_jobs,
    tags_of_jobs,
    registrations,
    logs_and_labels_of_registries,
    versions_of_objects,
    results_between_tasks,
    ranges_of_objects,
    makers_that_are_gone,
    machines_of_owners,
)
SCHEMA_VERSION = 1 + len(UPGRADES)


def schema_script() -> str:
    """Return schema.sql, the newest schema."""
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema's number, 0 for an empty database."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(version: int, name: str, known: int = SCHEMA_VERSION) -> None:
    """Raise DatabaseError when the database is newer than this roar; `name` is how it is shown."""
    if version > known:
        raise DatabaseError(
            f"database {name} has schema {version}, this roar knows {known}; "
            "upgrade roar-core (pip install ./roar_core from a newer checkout)"
        )


def migrate(
    connection: sqlite3.Connection,
    now_ns: int,
    *,
    script: str | None = None,
    upgrades: Sequence[Upgrade] = UPGRADES,
) -> None:
    """Make the newest schema, or bring an older database to it: all of it or nothing.

    Needs a connection in autocommit mode; `script` and `upgrades` replace schema.sql and UPGRADES.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)
        if version == 0:
            for statement in _statements(schema_script() if script is None else script):
                connection.execute(statement)
            _record(connection, 1, "schema", now_ns)
        for number, upgrade in enumerate(upgrades, start=2):
            # A fresh database has the newest shape already: only the names are noted down.
            if 0 < version < number:
                upgrade(connection)
            if version < number:
                _record(connection, number, upgrade.__name__, now_ns)
        connection.execute(f"PRAGMA user_version = {1 + len(upgrades)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _record(connection: sqlite3.Connection, version: int, name: str, now_ns: int) -> None:
    connection.execute("INSERT INTO schema_migration VALUES (?, ?, ?)", (version, name, now_ns))


def _statements(script: str) -> Iterator[str]:
    """Split a script: executescript() would commit before it starts."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
