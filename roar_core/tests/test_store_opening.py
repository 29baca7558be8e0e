"""Opening the database: made safely, refused in a sentence."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from roar_core.errors import DatabaseError, NotFoundError
from roar_core.store import migrations
from roar_core.store.connection import open_database
from roar_core.store.filesystem import file_system_type
from roar_core.store.migrations import SCHEMA_VERSION, migrate
from roar_core.store.owner import Owner
from roar_core.store.writer import Store


def execute(path: Path, statement: str) -> Any:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_only_the_user_can_read_it(tmp_path: Path, jobs: Any) -> None:
    before = os.umask(0)
    try:
        with Store.open(tmp_path / ".roar", create=True) as store:
            jobs.record(store, "a")
            modes = {
                path.name: stat.S_IMODE(path.stat().st_mode)
                for path in [tmp_path / ".roar", *(tmp_path / ".roar").iterdir()]
            }
    finally:
        os.umask(before)
    assert modes.pop(".roar") == 0o700
    assert set(modes) >= {"roar.db", "roar.db-wal", "roar.db-shm"}
    assert set(modes.values()) == {0o600}


def test_a_missing_database_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nothing is recorded here yet: .* does not exist"):
        Store.open(tmp_path / ".roar", read_only=True)
    assert not (tmp_path / ".roar").exists()


def test_a_newer_schema_is_refused_with_the_way_to_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(tmp_path / ".roar", create=True).close()
    execute(tmp_path / ".roar/roar.db", f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    monkeypatch.chdir(tmp_path)
    for read_only in (True, False):
        with pytest.raises(DatabaseError) as failure:
            Store.open(tmp_path / ".roar", read_only=read_only)
        assert str(failure.value) == (
            f"database .roar/roar.db has schema {SCHEMA_VERSION + 1}, "
            f"this roar knows {SCHEMA_VERSION}; "
            "upgrade roar-core (pip install ./roar_core from a newer checkout)"
        )


@pytest.mark.parametrize(
    "content", [b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_damaged_file_is_told_with_the_way_to_recover(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "roar.db").write_bytes(content)
    for read_only in (True, False):
        with pytest.raises(DatabaseError, match=r"is damaged .*`roar db recover`"):
            Store.open(tmp_path, read_only=read_only)
    assert (tmp_path / "roar.db").read_bytes() == content


def test_damage_met_while_reading_is_told_too(store: Store, jobs: Any, tmp_path: Path) -> None:
    for number in range(300):
        jobs.record(store, f"command {number}" * 20)
    store.close()
    database = tmp_path / ".roar/roar.db"
    content = bytearray(database.read_bytes())
    middle = len(content) // 2
    content[middle:] = b"\xaa" * (len(content) - middle)
    database.write_bytes(content)
    with (
        Store.open(tmp_path / ".roar", read_only=True) as damaged,
        pytest.raises(DatabaseError, match="is damaged"),
    ):
        damaged.jobs_of_session()


def test_an_empty_file_becomes_a_database(tmp_path: Path, jobs: Any) -> None:
    (tmp_path / "roar.db").touch()
    with Store.open(tmp_path) as store:
        assert str(jobs.record(store, "a").step) == "@1"


def test_a_directory_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "roar.db").mkdir()
    with pytest.raises(DatabaseError, match="database"):
        Store.open(tmp_path)


def test_a_file_in_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / ".roar").touch()
    with pytest.raises(DatabaseError, match="is not a directory; move it away"):
        Store.open(tmp_path / ".roar", create=True)


def test_names_with_any_bytes_can_hold_a_database(tmp_path: Path, jobs: Any) -> None:
    odd = tmp_path / os.fsdecode(b"a?b#c%41 \xff\n") / ".roar"
    with Store.open(odd, create=True) as store:
        jobs.record(store, "a")
    with Store.open(odd, read_only=True) as store:
        assert len(store.jobs_of_session()) == 1


def test_a_reader_cannot_write(tmp_path: Path, jobs: Any) -> None:
    Store.open(tmp_path / ".roar", create=True).close()
    with (
        Store.open(tmp_path / ".roar", read_only=True) as store,
        pytest.raises(DatabaseError, match="cannot write database"),
    ):
        store.begin(jobs("a"), owner=Owner.current())


def test_readers_see_what_was_committed_while_a_writer_works(
    store: Store, jobs: Any, tmp_path: Path
) -> None:
    jobs.record(store, "a")
    with store.writing() as db:
        db.execute("INSERT INTO session (started_at_ns) VALUES (1)")
        with Store.open(tmp_path / ".roar", read_only=True) as reader:
            assert len(reader.sessions()) == 1
    assert len(store.sessions()) == 2


def test_without_shared_memory_the_journal_is_rolled_back(tmp_path: Path, jobs: Any) -> None:
    with Store.open(tmp_path / ".roar", create=True, wal_works=lambda _: False) as store:
        jobs.record(store, "a")
        with store.reading() as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert not (tmp_path / ".roar/roar.db-wal").exists()
    with Store.open(tmp_path / ".roar") as store:
        assert str(jobs.record(store, "b").step) == "@2"


def test_a_database_moved_to_where_memory_is_not_shared_leaves_its_wal(
    tmp_path: Path, jobs: Any
) -> None:
    with Store.open(tmp_path / ".roar", create=True) as store:
        jobs.record(store, "a")
    with Store.open(tmp_path / ".roar", wal_works=lambda _: False) as store:
        assert len(store.jobs_of_session()) == 1
        with store.reading() as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert str(jobs.record(store, "b").step) == "@2"


def test_networked_file_systems_share_no_memory(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_bytes(
        b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        b"30 21 0:50 / "
        + os.fsencode(tmp_path)
        + b"/with\\040space rw shared:1 - nfs4 host:/x rw\n"
        b"31 21 0:51 / " + os.fsencode(tmp_path) + b"/with rw - tmpfs tmpfs rw\n"
    )
    assert file_system_type(tmp_path / "with space" / "p", mounts) == "nfs4"
    assert file_system_type(tmp_path / "with" / "p", mounts) == "tmpfs"
    assert file_system_type(tmp_path / "without", mounts) == "ext4"
    assert file_system_type(tmp_path, tmp_path / "missing") == ""


# --- migrations ----------------------------------------------------------------------------------

OLD_SCRIPT = """
CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);
CREATE TABLE schema_migration (version INTEGER PRIMARY KEY, name TEXT, applied_at_ns INTEGER);
"""
NEW_SCRIPT = OLD_SCRIPT.replace("text TEXT", "text TEXT, author TEXT")


def add_author(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE note ADD COLUMN author TEXT")


def fail_half_way(connection: sqlite3.Connection) -> None:
    add_author(connection)
    connection.execute("INSERT INTO missing VALUES (1)")


def shape(connection: sqlite3.Connection) -> list[Any]:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY 1")]
    return [
        (table, connection.execute(f"PRAGMA table_info({table})").fetchall()) for table in tables
    ]


@pytest.fixture
def old(tmp_path: Path) -> Any:
    connection = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    migrate(connection, 1, script=OLD_SCRIPT, upgrades=())
    connection.execute("INSERT INTO note (text) VALUES ('kept')")
    yield connection
    connection.close()


def test_an_older_database_gets_the_shape_of_a_fresh_one(old: Any, tmp_path: Path) -> None:
    migrate(old, 2, script=NEW_SCRIPT, upgrades=(add_author,))
    fresh = sqlite3.connect(tmp_path / "fresh.db", isolation_level=None)
    migrate(fresh, 2, script=NEW_SCRIPT, upgrades=(add_author,))
    assert shape(old) == shape(fresh)
    assert old.execute("SELECT text FROM note").fetchall() == [("kept",)]
    applied = "SELECT version, name, applied_at_ns FROM schema_migration"
    assert old.execute(applied).fetchall() == [(1, "schema", 1), (2, "add_author", 2)]
    assert fresh.execute("SELECT version, name FROM schema_migration").fetchall() == [
        (1, "schema"),
        (2, "add_author"),
    ]
    fresh.close()


def test_migrating_twice_changes_nothing(old: Any) -> None:
    for _ in range(2):
        migrate(old, 2, script=NEW_SCRIPT, upgrades=(add_author,))
    assert migrations.version_of(old) == 2


def test_a_migration_that_fails_leaves_the_old_database(old: Any) -> None:
    before = shape(old)
    with pytest.raises(sqlite3.OperationalError):
        migrate(old, 2, script=NEW_SCRIPT, upgrades=(fail_half_way,))
    assert (shape(old), migrations.version_of(old)) == (before, 1)


def test_the_schema_is_the_one_the_number_says(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "roar.db", create=True)
    assert migrations.version_of(connection) == SCHEMA_VERSION
    applied = [row[0] for row in connection.execute("SELECT version FROM schema_migration")]
    assert applied == list(range(1, SCHEMA_VERSION + 1))
    connection.close()


OLD_SCHEMAS = sorted((Path(__file__).parent / "old_schemas").glob("*.sql"))


def test_there_is_a_dump_of_every_older_schema() -> None:
    assert sorted(int(path.stem) for path in OLD_SCHEMAS) == list(range(1, SCHEMA_VERSION))


@pytest.mark.parametrize("dump", OLD_SCHEMAS, ids=lambda path: path.stem)
def test_every_older_schema_is_brought_to_the_newest(dump: Path, tmp_path: Path) -> None:
    version = int(dump.stem)
    old = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    migrate(
        old, 1, script=dump.read_text(encoding="utf-8"), upgrades=migrations.UPGRADES[: version - 1]
    )
    old.execute("INSERT INTO session VALUES (1, 1)")
    old.execute(
        "INSERT INTO job (id, uid, session, step_key, kind, command, project, cwd, state, "
        "started_at_ns) VALUES (1, 'a', 1, x'00', 'run', '[]', '/p', '/p', 'succeeded', 1)"
    )
    old.execute("INSERT INTO tracker_reference (job, tracker, run_id) VALUES (1, 'wandb', 'r1')")
    migrate(old, 2)
    fresh = sqlite3.connect(tmp_path / "fresh.db", isolation_level=None)
    migrate(fresh, 2)
    assert shape(old) == shape(fresh)
    assert old.execute("SELECT job, tracker, run_id FROM tracker_reference").fetchall() == [
        (1, "wandb", "r1")
    ]
    assert old.execute("PRAGMA foreign_key_check").fetchall() == []
    old.close()
    fresh.close()
