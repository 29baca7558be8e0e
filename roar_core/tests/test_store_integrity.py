"""A damaged database is found out, kept aside, and what can be read is saved."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core.errors import DatabaseError, NotFoundError
from roar_core.model.environment import Environment, Packages
from roar_core.store.integrity import check, recover
from roar_core.store.owner import Owner
from roar_core.store.writer import Store

PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, job_maker: Any) -> Path:
    """A project of 400 jobs with 10 outputs each, and one that runs."""
    root = tmp_path_factory.mktemp("sound")
    jobs = job_maker(root)
    with Store.open(root / ".roar", create=True) as store:
        for number in range(400):
            jobs.record(
                store,
                "python",
                f"{number}.py",
                writes={f"data/{number}/{i}": b"%d %d" % (number, i) for i in range(10)},
                packages=Packages({"numpy": "2.0"}),
                environment=Environment("Debian", "x86_64"),
            )
        store.begin(jobs("still running"), owner=Owner.current())
    return root / ".roar"


@pytest.fixture
def database(sound: Path, tmp_path: Path) -> Path:
    """The closed database of a copy of it."""
    shutil.copytree(sound, tmp_path / ".roar")
    return tmp_path / ".roar/roar.db"


def damage(database: Path, pages: slice) -> None:
    content = bytearray(database.read_bytes())
    first, last = pages.start * PAGE, pages.stop * PAGE
    content[first:last] = b"\xaa" * (last - first)
    database.write_bytes(content)


def pages_of(database: Path, table: str) -> list[int]:
    """The numbers (from 0) of the leaf pages of a table, in a file that is sound."""
    connection = sqlite3.connect(database)
    root = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
    ).fetchone()[0]
    connection.close()
    content = database.read_bytes()
    start = (root - 1) * PAGE
    cells = int.from_bytes(content[start + 3 : start + 5], "big")
    pages = []
    for cell in range(cells):
        pointer = start + 12 + 2 * cell
        offset = start + int.from_bytes(content[pointer : pointer + 2], "big")
        pages.append(int.from_bytes(content[offset : offset + 4], "big") - 1)
    return pages


def test_a_sound_database_has_no_problems(database: Path) -> None:
    assert check(database) == []


def test_damage_is_found(database: Path) -> None:
    damage(database, slice(30, 40))
    assert check(database)


def test_a_reference_that_leads_nowhere_is_found(database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("DELETE FROM session")
    connection.close()
    assert "names a row of session that is missing" in check(database)[0]


def test_a_missing_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no database"):
        check(tmp_path / "roar.db")
    with pytest.raises(NotFoundError, match="there is no database"):
        recover(tmp_path / "roar.db")


def test_a_sound_database_is_recovered_whole(database: Path, jobs: Any) -> None:
    with Store.open(database.parent) as store:
        before = store.jobs_of_session()
    recovery = recover(database)
    assert recovery.lost == ()
    assert (recovery.saved["job"], recovery.saved["edge"]) == (401, 4000)
    assert recovery.kept.name.startswith("roar.db.corrupt-")
    with Store.open(database.parent) as store:
        assert store.jobs_of_session() == before
        assert str(jobs.record(store, "next").step) == "@402"


def test_what_is_not_yet_in_the_main_file_is_recovered_too(database: Path, jobs: Any) -> None:
    with Store.open(database.parent) as store:
        last = jobs.record(store, "last")
        assert (database.parent / "roar.db-wal").stat().st_size
        recover(database)
    with Store.open(database.parent) as store:
        assert store.job(last.uid) == last


def test_edges_on_a_damaged_page_are_lost_alone_and_their_jobs_say_so(
    database: Path,
) -> None:
    page = pages_of(database, "edge")[5]
    damage(database, slice(page, page + 1))
    recovery = recover(database)
    assert recovery.saved["job"] == 401
    assert 3800 < recovery.saved["edge"] < 4000
    assert any("jobs have lost inputs or outputs" in sentence for sentence in recovery.lost)
    assert check(database) == []
    with Store.open(database.parent) as store:
        for job in store.jobs_of_session():
            codes = [reason.code for reason in job.coverage.reasons]
            whole = len(job.outputs) == 10 or job.state == "running"
            assert codes == ([] if whole else ["damaged_database"])


@pytest.mark.parametrize("table", ["job", "artifact"])
def test_rows_around_a_damaged_page_are_saved(database: Path, table: str) -> None:
    page = pages_of(database, table)[3]
    damage(database, slice(page, page + 1))
    recovery = recover(database)
    whole = {"job": 401, "artifact": 4000}[table]
    assert whole * 0.9 < recovery.saved[table] < whole
    assert recovery.lost
    assert check(database) == []


def test_every_page_may_be_the_damaged_one(database: Path) -> None:
    content = database.read_bytes()
    for page in range(1, len(content) // PAGE, 17):
        database.write_bytes(content)
        damage(database, slice(page, page + 1))
        recovery = recover(database)
        recovery.kept.unlink()
        assert check(database) == [], f"page {page}"


def test_a_file_that_is_no_database_is_kept_and_an_empty_one_made(tmp_path: Path) -> None:
    path = tmp_path / "roar.db"
    path.write_bytes(b"nothing of the kind" * 500)
    recovery = recover(path)
    assert recovery.lost == ("nothing more can be read: file is not a database",)
    assert recovery.kept.read_bytes().startswith(b"nothing of the kind")
    with Store.open(tmp_path) as store:
        assert store.sessions() == []


def test_two_recoveries_in_one_second_keep_both_files(database: Path) -> None:
    assert recover(database).kept != recover(database).kept


def test_a_newer_database_is_left_alone(database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = database.read_bytes()
    for look in (check, recover):
        with pytest.raises(DatabaseError, match="has schema 99"):
            look(database)
    assert database.read_bytes() == before
    assert sorted(path.name for path in database.parent.iterdir()) == ["roar.db", "roar.db.lock"]


def test_damaged_json_takes_its_row_only(database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("UPDATE job SET command = '[\"cut' WHERE id = 7")
    connection.close()
    recovery = recover(database)
    assert "row 7 of job is damaged" in recovery.lost
    with Store.open(database.parent) as store:
        assert len(store.jobs_of_session()) == 400


def test_recovered_edges_without_their_artifact_are_unknown(database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("DELETE FROM artifact WHERE id = 1")
    connection.close()
    recover(database)
    with Store.open(database.parent) as store:
        edges = [edge for job in store.jobs_of_session() for edge in job.outputs]
    unknown = [edge for edge in edges if edge.hash_state == "unknown"]
    assert [attrs.asdict(edge)["digests"] for edge in unknown] == [{}]
