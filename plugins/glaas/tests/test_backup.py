"""Backups taken while clients register, restored on the same engine and on the other."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from plugins.glaas.tests.conftest import new_database, serving

from roar_core.errors import RoarError
from roar_glaas import cli

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


def glaas(*words: str | Path, stdin: bytes = b"") -> Result:
    """A command, in this process: starting another takes longer than most of them."""
    done = CliRunner().invoke(cli.glaas, [str(word) for word in words], input=stdin)
    if done.exception is not None and not isinstance(done.exception, (RoarError, SystemExit)):
        raise done.exception
    return done


def refused(*words: str | Path, stdin: bytes = b"") -> str:
    """What a command says that cannot be done: one sentence."""
    done = glaas(*words, stdin=stdin)
    assert isinstance(done.exception, RoarError), done.output
    assert done.stderr == ""
    (line,) = str(done.exception).splitlines()
    return line


class Writer(threading.Thread):
    """A client that registers one session after the other until it is stopped."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry
        self._is_over = threading.Event()
        self.outputs: list[str] = []
        self.begun = threading.Event()

    def run(self) -> None:
        while not self._is_over.is_set():
            uid = f"{len(self.outputs) + 100:032x}"
            output = hashlib.sha256(uid.encode()).hexdigest()
            self._registry.register(uid=uid, output=output)
            self.outputs.append(output)
            if len(self.outputs) == 3:
                self.begun.set()

    def stop(self) -> None:
        self._is_over.set()
        self.join(60)


def answers(registry: Registry, outputs: list[str]) -> list[Any]:
    """What a registry says of these artifacts, without the address it says it at."""
    paths = [f"/api/v1/artifacts/{output}{part}" for output in outputs for part in ("", "/dag")]
    paths.append("/api/v1/graph/jobs?command=x")  # indexed by the database itself
    found = [registry.client.get(path) for path in paths]
    return [(answer.status_code, answer.text.replace(registry.url, "")) for answer in found]


def test_what_is_backed_up_while_others_register_is_restored_on_either_engine(
    registry: Registry, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    parent = {"parent_job_uid": "7" * 32, "step_number": 2}
    opened = registry.open()
    jobs = [job_body("8" * 32) | parent, job_body("7" * 32)]
    opened.post("jobs/batch", {"jobs": jobs})
    opened.post("jobs/" + "8" * 32 + "/outputs", {"artifacts": [{"hash": "d" * 64, "path": "/d"}]})
    opened.post("finalize", {})
    told = registry.glaas("user", "add", "ada", "--json")
    assert told.returncode == 0, told.stderr
    writer = Writer(registry)
    writer.start()
    assert writer.begun.wait(60)
    before = len(writer.outputs)
    file = tmp_path / "backup"
    taken = registry.glaas("backup", file)
    writer.stop()
    assert taken.returncode == 0, taken.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("*backup*")] == ["backup"]

    for engine in ("sqlite", "postgresql"):
        folder = tmp_path / engine
        folder.mkdir()
        request.param = engine
        url = new_database(request, folder)
        place = ("--data", folder / "data", "--database", url)
        restored = glaas("restore", file, *place)
        assert restored.exit_code == 0, restored.stderr
        told_text = restored.stdout
        assert told_text.removeprefix("restored ") == taken.stdout.removeprefix("backed up ")
        assert (folder / "data" / "tree-head.key").stat().st_mode & 0o777 == 0o600

        report = json.loads(glaas("verify", "--json", *place).stdout)
        assert report["ok"], report
        assert f"root {report['root']}" in told_text
        stats = json.loads(glaas("stats", "--json", *place).stdout)
        assert (stats["log_size"], stats["accounts"]) == (report["size"], 1)
        in_it = ["d" * 64, *writer.outputs[: stats["sessions"] - 1]]
        assert len(in_it) > before
        with serving(url, folder / "data") as again:
            expected = answers(registry, in_it)
            assert {status for status, _ in expected} == {200}
            assert answers(again, in_it) == expected
            # It goes on where the other stopped: ids, log and signatures.
            again.register(uid="9" * 32, output="9" * 64)
            assert again.client.get("/api/v1/log/head").json()["size"] > report["size"]


def job_body(uid: str) -> dict[str, Any]:
    return {"command": "x", "timestamp": 1.0, "job_uid": uid, "step_number": 1}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a registry with nothing in it but its key."""
    folder = tmp_path_factory.mktemp("backed-up")
    assert glaas("init", "--data", folder / "data").exit_code == 0
    assert glaas("backup", folder / "file", "--data", folder / "data").exit_code == 0
    return folder / "file"


def test_it_goes_through_pipes(file: Path, tmp_path: Path) -> None:
    through = glaas("restore", "-", "--data", tmp_path / "a", stdin=file.read_bytes())
    assert through.exit_code == 0, through.stderr
    piped = glaas("backup", "-", "--data", tmp_path / "a")
    assert piped.stdout_bytes.startswith(b"SQLite format 3\0")
    assert piped.stderr.startswith("backed up 0 sessions")
    assert glaas("restore", "-", "--data", tmp_path / "b", stdin=piped.stdout_bytes).exit_code == 0
    names = sorted(path.name for path in (tmp_path / "b").iterdir())
    assert names == ["glaas.db", "tree-head.key"]
    mode = (tmp_path / "b" / "glaas.db").stat().st_mode
    assert mode & 0o777 == 0o600


def test_only_an_empty_place_is_restored_into(file: Path, tmp_path: Path) -> None:
    place = ("--data", tmp_path / "a")
    assert glaas("restore", file, *place).exit_code == 0
    assert "empty directory" in refused("restore", file, *place)
    (tmp_path / "a" / "tree-head.key").unlink()
    assert "empty place" in refused("restore", file, *place)
    assert "there already" in refused("backup", file, "--data", file.parent / "data")


def damaged(file: Path, tmp_path: Path, statement: str) -> Path:
    copy = tmp_path / "damaged"
    copy.write_bytes(file.read_bytes())
    connection = sqlite3.connect(copy)
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute(statement)
    connection.commit()
    connection.close()
    return copy


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM owner", "is not whole: 0 of 1 rows in owner"),
        ("UPDATE leaf SET hash = zeroblob(32)", "another root"),
        ("DROP TABLE glaas_backup", "no backup"),
        ("UPDATE glaas_backup SET note = replace(note, '1', '7')", "newer"),
        ("UPDATE alembic_version SET version_num = '9999'", "schema 9999"),
    ],
)
def test_what_is_not_as_it_was_is_not_restored(
    file: Path, tmp_path: Path, statement: str, sentence: str
) -> None:
    copy = damaged(file, tmp_path, statement)
    assert sentence in refused("restore", copy, "--data", tmp_path / "place")
    assert list((tmp_path / "place").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PGDMP", b"SQLite format 3\0", None])
def test_what_is_no_backup_is_said_to_be_none(
    file: Path, tmp_path: Path, content: bytes | None
) -> None:
    bad = tmp_path / "bad"
    whole = file.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2] if content is None else content)
    told = refused("restore", bad, "--data", tmp_path / "place")
    assert "no backup" in told or "damaged" in told
    assert list((tmp_path / "place").iterdir()) == []


def test_there_must_be_something_to_back_up(tmp_path: Path) -> None:
    assert "holds no registry" in refused("backup", tmp_path / "f", "--data", tmp_path / "none")
    assert not (tmp_path / "f").exists()
    assert "cannot be read" in refused("restore", tmp_path / "f", "--data", tmp_path / "none")


def test_the_disk_may_be_full(file: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    run = [sys.executable, "-m", "roar_glaas.cli", "backup", "-", "--data", file.parent / "data"]
    with open("/dev/full", "wb") as full:
        told = subprocess.run(run, stdout=full, stderr=subprocess.PIPE, check=False)
    assert told.returncode == 1
    assert b"glaas: the backup cannot be written: No space left" in told.stderr
    assert list((file.parent / "data").glob(".backup-*")) == []
