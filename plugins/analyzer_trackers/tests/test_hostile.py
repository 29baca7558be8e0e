"""Files that are half-written, huge or traps: bounded, no exception, and what the path tells."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path, PurePath
from subprocess import PIPE

import pytest
import tracker_layouts as layouts
from hypothesis import given
from hypothesis import strategies as st

from roar_analyzer_trackers import aim, clearml, comet, mlflow, neptune, swanlab, trackio, wandb
from roar_analyzer_trackers.addresses import address
from roar_analyzer_trackers.archives import member
from roar_analyzer_trackers.databases import rows
from roar_analyzer_trackers.files import head, json_object, tail, text
from roar_analyzer_trackers.record_log import message, records
from roar_core.hookspecs import ObservedRun, PluginConfig

UUID = "54ac4896-2cc4-4358-9cb3-deaa32570a07"
NOW_NS = 1_795_617_000 * 10**9


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_loop(path: Path) -> None:
    path.symlink_to(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def unreadable(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


def ten_gigabytes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 << 30)


def noise(path: Path) -> None:
    path.write_bytes(b"\xff\xfe SQLite format 3\0 {{{ \x80" * 100)


def a_broken_database(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def another_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE runs (other TEXT)")


STATES = (
    *(a_pipe, a_loop, a_folder, unreadable, ten_gigabytes),
    *(noise, a_broken_database, another_schema),
)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_whatever_lies_there_the_paths_still_tell(
    tmp_path: Path, state: Callable[[Path], None]
) -> None:
    written = (
        layouts.wandb_run(tmp_path, "n3givgxm")
        | layouts.mlflow_database(tmp_path, [])
        | layouts.mlflow_file_store(tmp_path, "1" * 32)
        | layouts.neptune_run(tmp_path, UUID)
        | layouts.neptune_scale_run(tmp_path, "ada/digits", "my-run")
        | layouts.swanlab_run(tmp_path, "xmbzpcii")
        | layouts.clearml_offline(tmp_path, "offline-" + "2" * 32)
        | layouts.clearml_session(tmp_path, [("3" * 32, NOW_NS / 1e9)], api="https://api.x")
        | layouts.comet_archive(tmp_path, "4" * 32)
        | layouts.aim_run(tmp_path, "5" * 24)
        | layouts.trackio_database(tmp_path, [("6" * 32, "2026-11-25T14:38:20.000000+00:00")])
    )
    for path in map(Path, written):
        path.unlink()
        state(path)
    environ = {"HOME": str(tmp_path), "NEPTUNE_PROJECT": "ada/digits"}
    run = ObservedRun(tmp_path, tmp_path, frozenset(), written, {}, environ, NOW_NS, NOW_NS + 10**9)
    config = PluginConfig(tmp_path, {}, environ)
    analyzers = (
        *(wandb.WandbAnalyzer(config), mlflow.MlflowAnalyzer(config)),
        *(neptune.NeptuneAnalyzer(config), swanlab.SwanlabAnalyzer(config)),
        *(clearml.ClearmlAnalyzer(config), comet.CometAnalyzer(config)),
        *(aim.AimAnalyzer(config), trackio.TrackioAnalyzer(config)),
    )
    found = {
        (reference.tracker, reference.run_id)
        for analyzer in analyzers
        for reference in analyzer.references(run)
    }
    assert found == {
        ("wandb", "n3givgxm"),
        ("mlflow", "1" * 32),
        ("neptune", UUID),
        ("neptune", "my-run"),
        ("swanlab", "xmbzpcii"),
        ("clearml", "offline-" + "2" * 32),
        ("comet", "4" * 32),
        ("aim", "5" * 24),
    }


# --- files ---------------------------------------------------------------------------------------


def test_no_more_is_read_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a" * 100 + b"b" * 100)
    assert (head(path, 5), tail(path, 5)) == (b"aaaaa", b"bbbbb")
    assert tail(path, 500) == path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 200_000, b'{"a": 1e999}'])
def test_json_that_is_no_object_is_nothing(content: bytes) -> None:
    assert json_object(content) in ({}, {"a": float("inf")})


def test_a_name_is_always_storable() -> None:
    assert text("caf\udce9") == "caf?"
    assert text("a\x1b[31m\nb") == "a?[31m?b"
    assert text(b"\xff") == "\ufffd"
    assert (text(7), text(""), text(None), text([])) == ("7", None, None, None)
    assert len(text("a" * 10_000) or "") == 1000


@given(st.text())
def test_an_address_never_raises_and_never_tells_a_password(url: str) -> None:
    found = address(f"https://ada:s3cret@{url}")
    assert found is None or found.startswith("https://")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://ada:pw@host/path/?key=1#x", "https://host/path"),
        ("https://[::1]:8080/", "https://[::1]:8080"),
        ("HTTP://Host", "http://host"),
        ("https://host:port", None),
        ("ftp://host", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_only_the_place_is_kept_of_an_address(url: str, kept: str | None) -> None:
    assert address(url) == kept


# --- record logs ---------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message(content: bytes) -> None:
    assert all(isinstance(value, bytes) for value in message(content).values())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_log_that_ends(content: bytes) -> None:
    assert len(list(records(b":W&B\xe1\xbe\x00" + content, b":W&B"))) <= len(content) // 7


@given(st.lists(st.binary(min_size=1, max_size=40_000), max_size=6), st.integers(0, 200_000))
def test_a_log_is_read_as_far_as_it_goes(contents: list[bytes], cut: int) -> None:
    log = layouts.record_log(layouts.WANDB_TAG, contents)
    assert list(records(log, b":W&B")) == contents
    read = list(records(log[:cut], b":W&B"))
    assert read == contents[: len(read)]


# --- databases -----------------------------------------------------------------------------------


WRITER = """
import os, signal, sqlite3, sys
writer = sqlite3.connect("x.db")
writer.execute("PRAGMA journal_mode = WAL")
writer.execute("PRAGMA wal_autocheckpoint = 0")
writer.execute("CREATE TABLE t (a)")
writer.execute("INSERT INTO t VALUES (7)")
writer.commit()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("is_killed", [False, True])
def test_the_newest_rows_are_read_and_nothing_is_touched(tmp_path: Path, is_killed: bool) -> None:
    """In WAL mode, while another process has it open, and as one that was killed leaves it."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER], cwd=tmp_path, stdin=PIPE, stdout=PIPE)
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        if is_killed:
            writer.kill()
            writer.wait()
        before = state_of(tmp_path)
        assert rows(tmp_path / "x.db", "SELECT a FROM t") == [(7,)]
        assert state_of(tmp_path) == before
    assert [name for name, *_ in before] == ["x.db", "x.db-shm", "x.db-wal"]


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_database_at_rest_gets_no_companions(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute(f"PRAGMA journal_mode = {mode}")
        writer.execute("CREATE TABLE t (a)")
        writer.execute("INSERT INTO t VALUES (7)")
        writer.commit()
    before = state_of(tmp_path)
    assert rows(path, "SELECT a FROM t") == [(7,)]
    assert state_of(tmp_path) == before
    assert [name for name, *_ in before] == ["x.db"]


def test_a_log_without_its_index_leaves_what_was_checkpointed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("CREATE TABLE t (a)")
        writer.execute("INSERT INTO t VALUES (7)")
        writer.commit()
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO t VALUES (8)")
        writer.commit()
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("x.db", "x.db-wal"):
            (copy / name).write_bytes((tmp_path / name).read_bytes())
    assert rows(copy / "x.db", "SELECT a FROM t") == [(7,)]
    assert [name for name, *_ in state_of(copy)] == ["x.db", "x.db-wal"]


def test_a_table_that_is_a_view_without_end_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    endless = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT a FROM n"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE VIEW t AS {endless} WHERE a < 0")
    assert rows(path, "SELECT a FROM t") == []


def test_of_many_rows_a_thousand_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(5000)])
    assert len(rows(path, "SELECT a FROM t")) == 1000


def test_text_that_is_no_utf_8_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x ?#%.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (a TEXT)")
        connection.execute("INSERT INTO t VALUES (CAST(x'ff41' AS TEXT))")
    assert rows(path, "SELECT a FROM t") == [("\ufffdA",)]


def state_of(folder: Path) -> list[tuple[str, int, bytes]]:
    # Not the ctime: for root, SQLite sets the owner of a `-shm`, to what it is.
    return [(p.name, p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.iterdir())]


# --- archives ------------------------------------------------------------------------------------


def test_a_member_that_unpacks_without_end_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("experiment.json", bytes(50 << 20))
    assert member(path, "experiment.json", 1000) == b""


@pytest.mark.parametrize("name", ["absent", "experiment.json"])
def test_an_archive_that_is_cut_or_lacks_the_member_is_nothing(tmp_path: Path, name: str) -> None:
    [path] = layouts.comet_archive(tmp_path, "0" * 32)
    content = Path(path).read_bytes()
    assert member(path, "absent", 1000) == b""
    for cut in range(0, len(content), 7):
        Path(path).write_bytes(content[:cut])
        assert member(path, name, 1000) == b""


def test_an_archive_with_an_enormous_directory_is_not_opened(tmp_path: Path) -> None:
    path = PurePath(tmp_path / "x.zip")
    end = b"PK\x05\x06" + bytes(8) + (1 << 30).to_bytes(4, "little") + bytes(6)
    Path(path).write_bytes(end)
    assert member(path, "experiment.json", 1000) == b""
