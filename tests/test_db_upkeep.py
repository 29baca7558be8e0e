"""`roar db prune`, `vacuum`, `export`: only what no job needs or the user names goes."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from roar_core.testing.projects import ProjectUnderTest


@pytest.fixture
def recorded(project: ProjectUnderTest) -> ProjectUnderTest:
    project.write("in", "in\n")
    for name in ("a", "b"):
        project.write(f"table/{name}.parquet", name)
    project.run("sh", "-c", "sed s/$/a/ in > a; cat table/* > t")
    project.run("sh", "-c", "sed s/$/b/ a > b; date +%s%N > once")
    project.run("sh", "-c", "sed s/$/c/ b > c")
    return project


def query(project: ProjectUnderTest, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(project.root / ".roar/roar.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_nothing_goes_that_a_job_needs(recorded: ProjectUnderTest) -> None:
    before = recorded.json("db")["rows"]
    done = recorded.roar("db", "prune", "-y")
    assert (done.exit_code, "nothing" in done.stderr) == (0, True)
    assert recorded.json("db")["rows"] == before


def test_an_undone_job_goes_when_asked_for_and_its_artifacts_with_it(
    recorded: ProjectUnderTest,
) -> None:
    recorded.roar("run", "@2")
    recorded.roar("label", "set", "@2", "a=1")
    recorded.roar("pop", "-y")
    artifacts = recorded.json("db")["rows"]["artifact"]
    plan = recorded.json("db", "prune", "--undone", "--dry-run")
    assert plan["rows"]["job"] == 1
    assert plan["rows"]["label"] == 1
    assert recorded.json("db")["rows"]["job"] == 4
    assert recorded.roar("db", "prune", "--undone").exit_code == 1  # nobody answers
    assert recorded.roar("db", "prune", "--undone", "-y").exit_code == 0
    rows = recorded.json("db")["rows"]
    assert (rows["job"], rows["artifact"]) == (3, artifacts - 1)
    assert recorded.json("db", "integrity")["ok"]


def test_readers_of_a_pruned_job_find_who_else_made_their_bytes(
    recorded: ProjectUnderTest,
) -> None:
    recorded.roar("run", "@1")
    recorded.roar("run", "@2")
    assert recorded.roar("db", "prune", "@1.2", "-y").exit_code == 0
    reader = recorded.json("show", "@2")
    assert {e["producer"] for e in reader["inputs"]} == {recorded.json("show", "@1.1")["uid"]}
    assert recorded.roar("db", "prune", "@1", "-y").exit_code == 0
    reader = recorded.json("show", "@2")
    assert {e["producer"] for e in reader["inputs"]} == {None}
    assert recorded.json("db", "integrity")["ok"]
    assert query(recorded, "SELECT count(*) FROM composite") == [(0,)]


def test_it_is_said_which_jobs_are_kept_nowhere_else(recorded: ProjectUnderTest) -> None:
    first = recorded.json("show", "@1")["uid"]
    assert recorded.json("db", "prune", "@1", "--dry-run")["unregistered"] == [first]
    assert "pruned here" not in recorded.roar("register", "--dry-run").stderr
    said = recorded.roar("db", "prune", "@1", "--dry-run").stderr
    assert f"1 job of these no registry is known to have: {first[:8]};" in said
    assert recorded.roar("db", "prune", "@1", "-y").exit_code == 0
    told = recorded.roar("register", "--dry-run", "@3").stderr
    assert f"1 input comes from nobody any more: {first[:8]} had made them" in told
    for command in ("sed s/$/a/ in > a; cat table/* > t", "sed s/$/b/ a > b"):
        recorded.run("sh", "-c", command)
    assert "from nobody" not in recorded.roar("register", "--dry-run", "b").stderr
    assert recorded.json("db", "integrity")["ok"]


def test_a_session_before_can_go_the_current_one_not(recorded: ProjectUnderTest) -> None:
    assert recorded.roar("db", "prune", "--session", "1", "-y").exit_code == 1
    recorded.roar("reset")
    recorded.roar("run", "--", "sh", "-c", "cat c > d")
    recorded.roar("tag", "add", "in", "license=mit")
    assert recorded.roar("db", "prune", "--session", "1", "-y").exit_code == 0
    assert recorded.json("log")["total"] == 1
    assert recorded.json("log", "--session", "1")["total"] == 0
    assert recorded.json("tag", "history", "in")["events"]
    assert recorded.read("c") == "inabc\n"
    assert recorded.json("db", "integrity")["ok"]


def test_snapshots_that_no_job_names_go_with_their_jobs(project: ProjectUnderTest) -> None:
    project.shell("git init -q . && git config user.email a@b && git config user.name a")
    project.write("run.py", "print(1)")
    project.shell("git add run.py && git commit -qm 1")
    for number in (2, 3):
        project.write("run.py", f"print({number})")
        project.run("python", "run.py")
    stored = sorted((project.root / ".roar/objects").glob("*/*"))
    assert len(stored) == 2
    project.roar("pop", "-y")
    assert project.json("db", "prune", "--undone", "-y")["snapshots"] == 0  # it is too young
    for path in stored:
        os.utime(path, (time.time() - 7200,) * 2)
    assert project.json("db", "prune", "-y")["snapshots"] == 1
    (left,) = (project.root / ".roar/objects").glob("*/*")
    snapshot = project.json("show", "@1")["git"]["snapshot"]
    assert snapshot == f"blake3:{left.parent.name}{left.name}"


def test_vacuum_gives_room_back(recorded: ProjectUnderTest) -> None:
    recorded.roar("reset")
    recorded.roar("db", "prune", "--session", "1", "--cache", "-y")
    # What this little project leaves free is less than what the pages of a new file may waste.
    with closing(sqlite3.connect(recorded.root / ".roar/roar.db")) as db:
        db.executescript("CREATE TABLE t AS SELECT zeroblob(1 << 20); DROP TABLE t")
    sizes = recorded.json("db", "vacuum")
    assert sizes["after_bytes"] < sizes["before_bytes"]
    assert recorded.json("db", "integrity")["ok"]


def test_a_copy_answers_what_the_database_does(recorded: ProjectUnderTest) -> None:
    uids = [job["uid"] for job in recorded.json("log")["jobs"]]
    copy = recorded.root.parent / "copy.db"
    assert recorded.json("db", "export", str(copy))["size_bytes"] == copy.stat().st_size
    assert copy.stat().st_mode & 0o777 == 0o600
    assert recorded.roar("db", "export", str(copy)).exit_code == 1
    assert recorded.roar("db", "export", "--force", str(copy)).exit_code == 0
    assert recorded.roar("db", "export", "--force", ".roar/roar.db").exit_code == 2
    assert recorded.roar("db", "export", "no/such/folder").exit_code == 1
    other = recorded.root.parent / "other"
    (other / ".roar").mkdir(parents=True)
    copy.rename(other / ".roar/roar.db")
    recorded.root = Path(other)
    assert [job["uid"] for job in recorded.json("log")["jobs"]] == uids
