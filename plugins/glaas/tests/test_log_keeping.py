"""What the keeper of a log does: its commands, its key, its servers."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from logged import DIGESTS, MARK, fill

from roar_glaas.errors import Unavailable
from roar_glaas.log.appending import Record, append
from roar_glaas.log.keyfile import load_key
from roar_glaas.log.proofs import log_size
from roar_glaas.log.signing import Signer, begin_log, rotate_key
from roar_glaas.log.withholding import withhold
from roar_glaas.opening import open_registry
from roar_glaas.settings import Settings
from roar_glaas.storage.database import open_database, sqlite_address
from roar_glaas.storage.tables import leaf, tree_head

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


def run(*words: str | Path | int, status: int = 0, text: str = "") -> str:
    """What a command prints. In this process: starting thirty of them takes its time."""
    from roar_glaas.cli import main

    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["glaas", *map(str, words)])
        patch.setattr(sys, "stdin", io.StringIO(text))
        with redirect_stdout(told), redirect_stderr(told), pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == status, told.getvalue()
    return told.getvalue()


def in_its_own_process(*words: str | Path, status: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "roar_glaas.cli", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_the_commands_withhold_rotate_and_verify(registry: Registry, tmp_path: Path) -> None:
    session_hash, root = fill(registry)
    data, remembered = tmp_path / "data", tmp_path / "remembered.json"
    where = ("--data", data, "--database", registry.database_url)
    assert "everything holds" in run("verify", *where)
    outside = ("verify", "--url", registry.url, "--remember", remembered)
    assert "everything holds" in run(*outside)
    # The job of the mark, then everything else that has it.
    told = registry.client.get(f"/api/v1/public/sessions/{session_hash}/reproduction").json()
    (job,) = [one for one in told["jobs"] if MARK in one["command"]]
    words = ("withhold", job["logIndex"], "--reason", "it named a person")
    assert "Aborted" in run(*words, *where, status=1, text="n\n")
    assert f"record {job['logIndex']}, a job, is withheld" in run(*words, *where, text="y\n")
    found = registry.client.get(f"/api/v1/public/sessions/{session_hash}/reproduction")
    assert f"train {MARK}" not in found.text
    (job,) = [one for one in found.json()["jobs"] if one["withheld"]]
    assert job["command"] == "# withheld: it named a person"
    database = open_database(registry.database_url)
    begin_log(database, data)
    for index in set(range(1, 11)) - {job["logIndex"]}:
        with database.append() as connection:
            withhold(connection, Signer(data), index, "all of it")
    database.dispose()
    run("withhold", "--scrub", *where)
    # Digests are still registered, and pages and answers say why there is no more.
    for digest in (*DIGESTS[:3], DIGESTS[5], root):
        for path in ("/api/v1/artifacts/", "/artifacts/"):
            assert registry.client.get(path + digest).status_code == 200, path + digest
        for part in ("dag", "lineage", "components"):
            answer = registry.client.get(f"/api/v1/artifacts/{digest}/{part}")
            assert (answer.status_code, MARK in answer.text) == (200, False)
    of_graph = [f"artifacts/{DIGESTS[1]}/{part}" for part in ("producers", "consumers")]
    of_graph += [f"artifacts/{DIGESTS[1]}/{part}" for part in ("upstream", "downstream")]
    of_graph += [f"artifacts/{DIGESTS[1]}/sources", f"artifacts/{root}/results"]
    of_graph += [f"artifacts/{root}/members", f"artifacts/{root}/members/{DIGESTS[3]}"]
    of_graph += [f"datasets?member={DIGESTS[3]}", "labels?key=word", "sessions"]
    of_graph += [f"compare/artifacts?left={DIGESTS[1]}&right={DIGESTS[5]}", f"jobs?command={MARK}"]
    of_graph += [f"jobs/{'1' * 32}", "files?path=out", f"files?path={MARK}"]
    for path in of_graph:
        answer = registry.client.get(f"/api/v1/graph/{path}")
        assert answer.status_code == 200, (path, answer.text)
        assert MARK not in answer.text, path
    for path in (f"jobs?command={MARK}", f"labels?key=word&value={MARK}", f"files?path={MARK}"):
        answer = registry.client.get(f"/api/v1/graph/{path}")
        assert next(iter(answer.json().values())) == [], path
    page = registry.client.get(f"/dag/{session_hash}")
    assert (page.status_code, MARK in page.text) == (200, False)
    assert "withheld: it named a person" in page.text
    assert "rotate" not in run("key", "rotate", *where)
    registry.register(uid="9" * 32, output="9" * 64)  # a server that runs takes the new key
    assert "2 keys" in run("verify", *where)
    for more in ((), ("--entries",)):
        assert "everything holds" in run(*outside, *more)
    with_json = json.loads(run("verify", *where, "--json"))
    assert (with_json["ok"], with_json["withheld"], with_json["problems"]) == (True, 10, [])
    if registry.database_url.startswith("sqlite"):
        files = [file.read_bytes() for file in data.parent.glob("glaas.db*")]
        assert files
        assert not any(MARK.encode() in content for content in files)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_servers_of_one_log_sign_one_head_for_each_size(
    registry: Registry, tmp_path: Path
) -> None:
    from plugins.glaas.tests.conftest import serving

    data = tmp_path / "data"
    with serving(registry.database_url, data) as second, ThreadPoolExecutor(4) as pool:
        uids = [f"{number:032x}" for number in range(1, 13)]
        both = [registry, second] * 6
        outputs = [hashlib.sha256(uid.encode()).hexdigest() for uid in uids]

        def register(server: Registry, uid: str, output: str) -> str:
            return server.register(uid=uid, output=output)

        hashes = set(pool.map(register, both, uids, outputs))
        assert len(hashes) == 12
        for size in range(1, 26, 2):
            heads = [one.client.get(f"/api/v1/log/head?size={size}").json() for one in both[:2]]
            assert heads[0] == heads[1]
            assert heads[0]["size"] == size
        # A key that one of them did not make is taken all the same.
        run("key", "rotate", "--data", data, "--database", registry.database_url)
        for number, server in enumerate(both[:2], 100):
            server.register(uid=f"{number:032x}", output=f"{number:064x}")
    told = json.loads(run("verify", "--data", data, "--database", registry.database_url, "--json"))
    assert (told["ok"], told["size"], told["heads"]) == (True, 30, 16)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_log_that_was_set_back_or_forked_is_found_from_outside(
    registry: Registry, tmp_path: Path
) -> None:
    from plugins.glaas.tests.conftest import serving

    registry.register()
    file = Path(tmp_path / "glaas.db")
    copies = [tmp_path / "old", tmp_path / "fork"]
    for copy in copies:
        shutil.copytree(tmp_path / "data", copy)
        with sqlite3.connect(file) as source, sqlite3.connect(copy / "glaas.db") as target:
            source.backup(target)
        source.close()
        target.close()
    registry.register(uid="2" * 32, output="2" * 64)
    remembered = tmp_path / "remembered.json"
    run("verify", "--url", registry.url, "--remember", remembered)
    kept = remembered.read_bytes()
    with serving(sqlite_address(copies[0] / "glaas.db"), copies[0]) as old:
        told = run("verify", "--url", old.url, "--remember", remembered, status=1)
        assert "the log has shrunk: it has 3 records, and had 5 before" in told
    with serving(sqlite_address(copies[1] / "glaas.db"), copies[1]) as fork:
        fork.register(uid="3" * 32, output="3" * 64)
        fork.register(uid="4" * 32, output="4" * 64)
        told = run("verify", "--url", fork.url, "--remember", remembered, status=1)
        assert "the first 5 records are not what they were" in told
    with serving(sqlite_address(tmp_path / "other.db"), tmp_path / "other") as other:
        for number in range(5, 8):
            other.register(uid=f"{number}" * 32, output=f"{number}" * 64)
        told = run("verify", "--url", other.url, "--remember", remembered, status=1)
        assert "it is not the same log" in told
    assert remembered.read_bytes() == kept


def test_the_key_is_private_and_the_log_is_opened_with_no_other(
    database_url: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    where = ("--data", data, "--database", database_url)
    told = run("init", *where)
    assert told == run("init", *where)
    key = data / "tree-head.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "is signed with key" in run("init", "--rotate-key", *where)
    assert [file.name for file in data.glob("tree-head*")] == ["tree-head.key"]
    assert "2 keys" in run("verify", *where)
    other = tmp_path / "other"
    elsewhere = ("--data", other, "--database", database_url)
    assert "copy tree-head.key there" in run("init", *elsewhere, status=1)
    shutil.copy(key, other / "tree-head.key")
    assert "is signed with key" in run("init", *elsewhere)
    key.chmod(0o644)
    assert "chmod 600" in in_its_own_process("serve", *where, "--port", "0", status=1)
    key.chmod(0o600)
    key.write_text("no key")
    assert "is no private key in PEM" in run("key", "rotate", *where, status=1)
    assert "everything holds" in in_its_own_process("verify", *where, status=0)
    database = open_database(database_url)
    with database.append() as connection:
        connection.execute(sa.insert(leaf), {"index": 9, "hash": b"", "kind": "job", "at_us": 0})
    database.dispose()
    assert "record 2 is missing" in in_its_own_process("verify", *where, status=1)


def test_a_rotation_that_was_cut_short_is_brought_to_its_end(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    database = open_registry(settings)
    signer = Signer(tmp_path)
    old = (tmp_path / "tree-head.key").read_bytes()
    new = rotate_key(database, signer, tmp_path)
    # As it was between the log's taking the key and the file's: both are there.
    (tmp_path / "tree-head.key").rename(tmp_path / "tree-head.key.next")
    (tmp_path / "tree-head.key").write_bytes(old)
    (tmp_path / "tree-head.key").chmod(0o600)
    begin_log(database, tmp_path)
    found = load_key(tmp_path, None)
    assert found is not None
    assert found.id == new.id
    assert not (tmp_path / "tree-head.key.next").exists()
    database.dispose()


def test_after_a_rotation_elsewhere_nothing_is_taken_until_the_key_is_copied(
    database_url: str, tmp_path: Path
) -> None:
    here, host = tmp_path / "here", tmp_path / "host"
    database = open_registry(Settings(data=here, database=database_url))
    shutil.copytree(here, host)
    run("key", "rotate", "--data", host, "--database", database_url)
    one = [Record("job", {"n": 1})]
    with pytest.raises(Unavailable, match="lacks the key") as refused, database.append() as writing:
        append(writing, one, 0)
    assert str(here) not in str(refused.value)
    with database.read() as connection:
        assert log_size(connection) == 2
    shutil.copy(host / "tree-head.key", here / "tree-head.key")
    with database.append() as connection:
        append(connection, one, 0)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.max(tree_head.c.size))).scalar() == 3
    database.dispose()


def test_commands_that_cannot_work_say_why(tmp_path: Path) -> None:
    empty = ("--data", tmp_path / "none")
    assert "holds no registry" in run("verify", *empty, status=1)
    assert not (tmp_path / "none").exists()
    assert "holds no registry" in run("withhold", "3", "--reason", "x", "--yes", *empty, status=1)
    assert "go with --url" in run("verify", "--entries", status=2)
    assert "is no address" in run("verify", "--url", "file:///etc/passwd", status=1)
    assert "cannot be read" in run("verify", "--url", "http://127.0.0.1:9", status=1)
    here = ("--data", tmp_path / "here")
    run("init", *here)
    assert "no record 7" in run("withhold", "7", "--reason", "x", "--yes", *here, status=1)
    assert "say why" in run("withhold", "7", *here, status=2)
    broken = tmp_path / "broken"
    broken.write_text("{")
    refusing = ("verify", "--url", "http://127.0.0.1:9", "--remember", broken)
    assert "holds no remembered tree head" in run(*refusing, status=1)
