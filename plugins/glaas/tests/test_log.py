"""The log over HTTP, what an auditor finds in a database that was meddled with, withholding."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa

from roar_core.identity import Leaf, canonical_json, tree_hash
from roar_glaas.access.caller import ANYBODY, Caller, Role
from roar_glaas.audit.inside import Report, audit_database
from roar_glaas.errors import GlaasError, Unavailable
from roar_glaas.log.appending import Record, append
from roar_glaas.log.entries import entries
from roar_glaas.log.keyfile import load_key, make_key
from roar_glaas.log.merkle import leaf_hash, node_hash
from roar_glaas.log.proofs import log_size
from roar_glaas.log.signing import Signer, begin_log, rotate_key
from roar_glaas.log.statements import TreeHead, head_bytes
from roar_glaas.log.verifying import verify_consistency, verify_head, verify_inclusion, verify_keys
from roar_glaas.log.withholding import withhold
from roar_glaas.opening import open_registry
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database, open_database, sqlite_address
from roar_glaas.storage.tables import leaf, tree_head

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

# No other word begins so: an index that shortens words keeps this one whole.
MARK = "zyxunspeakable"
DIGESTS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(6)]


@attrs.define
class Filled:
    """A server whose log has a record of every kind, its data directory and its database."""

    registry: Registry
    data: Path
    database: Database
    session_hash: str
    root: str

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = self.registry.client.get(f"/api/v1/log/{path}", params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    @contextmanager
    def meddling(self) -> Iterator[sa.Connection]:
        """A transaction of an administrator without the guards; it is rolled back at its end."""
        connection = self.database.engine.connect()
        with connection:
            if self.database.is_postgresql:
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                named = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
                for name in connection.exec_driver_sql(named).scalars().all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
                connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            yield connection
            connection.rollback()

    def leaf_of(self, kind: str) -> int:
        with self.database.read() as connection:
            query = sa.text('SELECT min("index") FROM leaf WHERE kind = :kind')
            return int(connection.execute(query, {"kind": kind}).scalar_one())


@pytest.fixture
def filled(filled_server: Filled) -> Iterator[Filled]:
    """The server of this module's tests, with connections to its database of the test's own."""
    database = open_database(filled_server.registry.database_url)
    yield attrs.evolve(filled_server, database=database)
    database.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    from plugins.glaas.tests.conftest import serving

    data = tmp_path_factory.mktemp("log")
    url = sqlite_address(data / "glaas.db")
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgresql"))
    with serving(url, data) as registry:
        session_hash, root = fill(registry)
        database = open_database(url)
        yield Filled(registry, data, database, session_hash, root)
        database.dispose()


def new_database(folder: str) -> str:
    import psycopg

    name = f"glaas_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"host={folder} user=glaas dbname=postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return f"postgresql://glaas@/{name}?host={folder}"


def fill(registry: Registry) -> tuple[str, str]:
    """Register a session with everything in it; returns its hash and its dataset's."""
    from plugins.glaas.tests.conftest import job_body

    opened = registry.open()
    uids = ["1" * 32, "2" * 32]
    first = job_body(uids[0], command=f"train {MARK}", git_commit="c" * 40, git_branch="main")
    second = job_body(uids[1], command="train more", parent_job_uid=uids[0], step_number=2)
    opened.post("jobs/batch", {"jobs": [first, second]})
    ranges = [[0, 9], [20, 29]]
    reads = [
        {"hash": DIGESTS[0], "path": f"/data/{MARK}", "size": 3, "byte_ranges": ranges},
        {"hash": DIGESTS[0], "path": "/data/again"},
    ]
    opened.post(f"jobs/{uids[0]}/inputs", {"artifacts": reads})
    opened.post(f"jobs/{uids[0]}/outputs", {"artifacts": [{"hash": DIGESTS[1], "path": "/out"}]})
    opened.post(f"jobs/{uids[1]}/inputs", {"artifacts": [{"hash": DIGESTS[1], "path": "/out"}]})
    also = [{"algorithm": "blake3", "digest": DIGESTS[1]}]
    also += [
        {"algorithm": "sha256", "digest": DIGESTS[2]},
        {"algorithm": "md5", "digest": "a" * 32},
    ]
    described = {"hashes": also, "size": 7, "source_type": "https"}
    described |= {"source_url": f"https://example.org/{MARK}", "metadata": {"is": MARK}}
    opened.post("artifacts/batch", {"artifacts": [described]})
    root = tree_hash(Leaf(f"{MARK}-{n}", "blake3", DIGESTS[n]) for n in (3, 4))
    members = [
        {
            "relative_path": f"{MARK}-{n}",
            "leaf_kind": "file",
            "component_algorithm": "blake3",
            "component_digest": DIGESTS[n],
            "component_size": n,
        }
        for n in (3, 4)
    ]
    dataset = {
        "hash": root.root,
        "hashes": [{"algorithm": root.algorithm, "digest": root.root}],
        "size": 7,
        "component_count_total": 2,
        "components": members,
        "metadata": {"is": MARK},
    }
    opened.post("artifacts/composites", dataset)
    bloom = {"bloom_filter_base64": "AAAA", "bloom_bits": 24, "bloom_hashes": 1}
    view = {"relation": "consumes", "target_hash": root.root, "selected_count": 1}
    view |= {"parent_total": 2, "bloom": bloom}
    opened.post(f"jobs/{uids[1]}/view-edges", {"view_edges": [view]})
    git = {"git_repo": f"https://example.org/{MARK}.git", "git_branch": "main"}
    name = opened.post("finalize", git | {"git_commit": "c" * 40})["session_hash"]
    of_all = {"session_hash": name, "metadata": {"word": MARK}}
    labels = [
        {"entity_type": "dag"} | of_all,
        {"entity_type": "job", "job_uid": uids[0]} | of_all,
        {"entity_type": "artifact", "artifact_hash": DIGESTS[1]} | of_all,
    ]
    opened.post("labels/batch", {"labels": labels})
    registry.register(uid="3" * 32, output=DIGESTS[5])
    return str(name), root.root


def audit(connection: sa.Connection) -> Report:
    steps: list[tuple[int, int]] = []
    report = audit_database(connection, lambda done, total: steps.append((done, total)))
    assert not steps or steps[-1][0] == steps[-1][1] or report.findings.count
    return report


def problems(connection: sa.Connection) -> list[str]:
    return [found.message for found in audit(connection).findings.found]


def test_a_registry_that_nobody_meddled_with_holds(filled: Filled) -> None:
    with filled.database.read() as connection:
        report = audit(connection)
    assert report.findings.found == []
    assert report.records == {
        "artifact": 1,
        "composite": 1,
        "job": 3,
        "key": 1,
        "label": 3,
        "session": 2,
    }
    # One for the key, and one for each request that added to the log.
    assert (report.size, report.heads, report.unknown) == (11, 4, [])


CASES: dict[str, tuple[str | list[str], str]] = {
    "command": (
        "UPDATE job SET command = 'rm -rf /' WHERE command LIKE 'train more'",
        "job 22222222: command is 'rm -rf /' in its row, and 'train more' in its record",
    ),
    "uid": ("UPDATE job SET parent_id = NULL", "job 22222222: parent_uid is None in its row"),
    "edge removed": (
        "DELETE FROM edge WHERE path = '/data/again'",
        "job 11111111 lacks the edge ('in', 'blake3', " + DIGESTS[0],
    ),
    "edge added": (
        "INSERT INTO edge (job_id, direction, artifact_id, ordinal, path) "
        "SELECT job_id, 'out', artifact_id, 7, '/forged' FROM edge WHERE path = '/out'",
        "job 22222222 has the edge ('out', 'blake3', " + DIGESTS[1],
    ),
    "path": (
        "UPDATE edge SET path = '/elsewhere' WHERE path = '/out' AND direction = 'in'",
        "'/elsewhere') that its record lacks",
    ),
    "leaf": (
        'UPDATE leaf SET hash = (SELECT hash FROM leaf WHERE "index" = 1) WHERE "index" = 2',
        "record 2 (job) was changed: its salt and bytes do not give its leaf",
    ),
    "bytes": (
        "UPDATE record_bytes SET bytes = salt WHERE leaf_index = 3",
        "record 3 (job) was changed: its salt and bytes do not give its leaf",
    ),
    "bytes gone": (
        "DELETE FROM record_bytes WHERE leaf_index = 3",
        "the bytes of record 3 (job) are gone, and no record says that they were withheld",
    ),
    "last leaf": (
        ["DELETE FROM record_bytes WHERE leaf_index = 10", 'DELETE FROM leaf WHERE "index" = 10'],
        "a tree head of size 11 was signed, but the log holds 10 records",
    ),
    "leaf in the middle": (
        ["DELETE FROM record_bytes WHERE leaf_index = 4", 'DELETE FROM leaf WHERE "index" = 4'],
        "record 4 is missing: its leaf was removed from the log",
    ),
    "node": (
        'UPDATE node SET hash = (SELECT hash FROM leaf WHERE "index" = 1) '
        'WHERE level = 1 AND "index" = 2',
        "the inner node over the records from 4 to 5 does not follow from them",
    ),
    "node gone": (
        'DELETE FROM node WHERE level = 2 AND "index" = 1',
        "the inner node over the records from 4 to 7 is missing",
    ),
    "head": (
        'UPDATE tree_head SET root = (SELECT hash FROM leaf WHERE "index" = 1) WHERE size = 11',
        "the tree head of size 11 is forged: its signature is not by the key",
    ),
    "newest head gone": (
        "DELETE FROM tree_head WHERE size = 11",
        "the records from 9 to 10 are under no signed tree head",
    ),
    "row gone": (
        "DELETE FROM label WHERE entity = 'dag'",
        "(label) has no row in label, and must have one",
    ),
    "row added": (
        "INSERT INTO label (entity, session_id, version, document, origins, at_us, leaf_index) "
        "SELECT 'dag', session_id, 9, '{}', '{}', 0, 99 FROM label WHERE entity = 'dag'",
        "a row of label was never registered: it names record 99",
    ),
    "row doubled": (
        "INSERT INTO label (entity, session_id, version, document, origins, at_us, leaf_index) "
        "SELECT 'dag', session_id, 9, '{}', '{}', 0, leaf_index FROM label WHERE entity = 'dag'",
        "(label) has 2 rows in label",
    ),
    "label": ("UPDATE label SET document = '{}'", "document is '{}' in its row"),
    "session": ("UPDATE session SET git_repo = 'x'", "git_repo is 'x' in its row"),
    "fact": ("UPDATE artifact_fact SET size_bytes = 8", "size_bytes is 8 in its row, and 7 in"),
    "claim gone": (
        "DELETE FROM digest_claim WHERE algorithm = 'md5'",
        f"artifact {DIGESTS[1][:12]} lacks the further digest ('md5', " + "a" * 32,
    ),
    "claim added": (
        "INSERT INTO digest_claim (digest, algorithm, artifact_id, session_id, leaf_index) "
        "SELECT salt, 'sha256', artifact_id, session_id, artifact_fact.leaf_index "
        "FROM artifact_fact JOIN record_bytes "
        "ON record_bytes.leaf_index = artifact_fact.leaf_index",
        "1 rows of digest_claim belong to no record that could be checked",
    ),
    "dataset": ("UPDATE composite SET is_proven = NOT is_proven", "is_proven is False in its row"),
    "member": (
        "UPDATE component SET size_bytes = 9 WHERE ordinal = 1",
        "that its record lacks, record",
    ),
    "artifact added": (
        "INSERT INTO artifact (digest, algorithm) SELECT hash, 'sha256' FROM leaf "
        'WHERE "index" = 0',
        "was never registered: no record names it",
    ),
    "withheld by hand": (
        [
            "INSERT INTO withheld VALUES (3, 'because', 0, 4)",
            "DELETE FROM record_bytes WHERE leaf_index = 3",
            "UPDATE job SET command = NULL, metadata = NULL, git_branch = NULL WHERE step = 2",
            "UPDATE edge SET path = NULL, bloom = NULL "
            "WHERE job_id IN (SELECT id FROM job WHERE step = 2)",
        ],
        "a row of withheld was never registered: it names record 4",
    ),
    "label value": (
        "UPDATE label_value SET value = 'other' WHERE label_id = 1",
        "label version 1 of a dag lacks the value ('word', '" + MARK,
    ),
    "label value added": (
        "INSERT INTO label_value (key, value, label_id, ordinal) VALUES ('a', 'b', 1, 0)",
        "label version 1 of a dag has the value ('a', 'b', 0) that its record lacks",
    ),
    "key": (
        "UPDATE log_key SET public = (SELECT salt FROM record_bytes WHERE leaf_index = 0)",
        "the row of the key in record 0 says another key",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_meddling_is_named_in_a_sentence(filled: Filled, name: str) -> None:
    statements, sentence = CASES[name]
    with filled.meddling() as connection:
        for statement in [statements] if isinstance(statements, str) else statements:
            connection.exec_driver_sql(statement)
        found = problems(connection)
    assert [one for one in found if sentence in one], found
    assert len(found) <= 8
    with filled.database.read() as connection:
        assert problems(connection) == []


def test_records_that_changed_places_are_found_though_each_fits_its_leaf(filled: Filled) -> None:
    with filled.meddling() as connection:
        for table, column in (("record_bytes", "leaf_index"), ("leaf", '"index"')):
            for old, new in ((2, -1), (3, 2), (-1, 3)):
                connection.exec_driver_sql(
                    f"UPDATE {table} SET {column} = {new} WHERE {column} = {old}"
                )
        connection.exec_driver_sql(
            "UPDATE job SET leaf_index = 5 - leaf_index WHERE leaf_index IN (2, 3)"
        )
        found = problems(connection)
        assert any("records from 2 to 3 does not follow from them" in one for one in found), found
        # The administrator computes the nodes anew as well; what was signed stays.
        recompute(connection)
        found = problems(connection)
    assert found == [
        "the tree head of size 6 was signed over other records: something among the first 6 was "
        "changed, removed or moved since"
    ] or found[0].startswith("the tree head of size"), found
    assert len(found) == 1


def recompute(connection: sa.Connection) -> None:
    """Make every inner node what the leaves of now give."""
    connection.exec_driver_sql("DELETE FROM node")
    query = 'SELECT hash FROM leaf ORDER BY "index"'
    row = [bytes(found) for found in connection.exec_driver_sql(query).scalars()]
    level = 0
    while len(row) > 1:
        row = [node_hash(*row[n : n + 2]) for n in range(0, len(row) - 1, 2)]
        level += 1
        for index, digest in enumerate(row):
            connection.execute(
                sa.text('INSERT INTO node (level, "index", hash) VALUES (:l, :i, :h)'),
                {"l": level, "i": index, "h": digest},
            )


def test_who_has_the_database_and_no_key_cannot_sign(filled: Filled, tmp_path: Path) -> None:
    forged = make_key(tmp_path)
    with filled.meddling() as connection:
        content = head_bytes(11, b"r" * 32, 5, forged.id)
        connection.execute(
            sa.text("UPDATE tree_head SET root = :r, at_us = 5, signature = :s WHERE size = 11"),
            {"r": b"r" * 32, "s": forged.sign(content)},
        )
        (found,) = problems(connection)
    assert "the tree head of size 11 is forged" in found


def key_history(filled: Filled) -> list[Any]:
    from roar_glaas.audit.outside import Outside

    return Outside(filled.registry.url).keys()


def as_head(said: dict[str, Any]) -> TreeHead:
    from roar_glaas.audit.outside import head_of

    return head_of(said)


def test_every_proof_over_http_verifies(filled: Filled) -> None:
    head, keys = as_head(filled.get("head")), key_history(filled)
    assert verify_keys(keys)
    assert verify_head(head, keys)
    assert head.size == 11
    for index in range(head.size):
        told = filled.get(f"records/{index}/proof")
        digest = leaf_hash(bytes.fromhex(told["salt"]), told["record"].encode())
        assert digest.hex() == told["leafHash"]
        steps = [bytes.fromhex(step) for step in told["inclusion"]["path"]]
        assert verify_inclusion(digest, index, head.size, steps, head.root)
        assert told["head"] == filled.get("head")
        found = filled.get("proof/inclusion", hash=told["leafHash"], size=index + 1)
        assert found["leafIndex"] == index
        proof = filled.get("proof/consistency", **{"from": index + 1, "to": head.size})
        assert proof["fromRoot"] == found["root"]
        steps = [bytes.fromhex(step) for step in proof["path"]]
        old_root = bytes.fromhex(found["root"])
        assert verify_consistency(index + 1, head.size, steps, old_root, head.root)
    older = as_head(filled.get("head", size=9))
    assert verify_head(older, keys)
    assert filled.get("proof/inclusion", leaf=0, size=9)["root"] == older.root.hex()


def test_entries_come_in_pages(filled: Filled) -> None:
    found, start = [], 0
    while start is not None:
        page = filled.get("entries", start=start, limit=4)
        found += page["entries"]
        start = page["next"]
    assert [one["leafIndex"] for one in found] == list(range(11))
    assert {one["kind"] for one in found} == {
        *("key", "session", "job", "artifact", "composite", "label")
    }
    assert found[3] == filled.get("records/3")
    assert filled.get("entries", start=11)["entries"] == []


@pytest.mark.parametrize(
    ("path", "query", "status", "word"),
    [
        ("head", {"size": 2}, 404, "no tree head of size 2"),
        ("head", {"size": -1}, 400, "size"),
        ("head", {"size": 10**30}, 400, "size"),
        ("head", {"size": "x"}, 400, "size"),
        ("records/11", {}, 404, "no record 11"),
        ("records/-1", {}, 404, "no record -1"),
        (f"records/{10**30}", {}, 404, "no record"),
        (f"records/{10**30}/proof", {}, 404, "no record"),
        ("records/x", {}, 404, ""),
        ("proof/inclusion", {}, 400, "hash"),
        ("proof/inclusion", {"leaf": 1, "hash": "a" * 64}, 400, "one of them"),
        ("proof/inclusion", {"leaf": 11}, 400, "leaf"),
        ("proof/inclusion", {"leaf": -1}, 400, "leaf"),
        ("proof/inclusion", {"leaf": 1, "size": 12}, 400, "size"),
        ("proof/inclusion", {"leaf": 1, "size": 10**30}, 400, "size"),
        ("proof/inclusion", {"hash": "a" * 64}, 404, "no leaf"),
        ("proof/inclusion", {"hash": "A" * 64}, 400, "hash"),
        ("proof/consistency", {}, 400, "from"),
        ("proof/consistency", {"from": 5, "to": 4}, 400, "from"),
        ("proof/consistency", {"from": -5}, 400, "from"),
        ("proof/consistency", {"from": 1, "to": 10**30}, 400, "to"),
        ("entries", {"start": -1}, 400, "start"),
        ("entries", {"limit": 0}, 400, "limit"),
        ("entries", {"limit": 10**9}, 400, "limit"),
    ],
)
def test_what_cannot_be_proven_is_refused(
    filled: Filled, path: str, query: dict[str, Any], status: int, word: str
) -> None:
    assert word in filled.get(path, status, **query)["detail"]
    assert filled.get("entries", start=10**30)["entries"] == []


def test_a_private_record_is_told_to_those_who_see_its_session_only(filled: Filled) -> None:
    owner = Caller(owner_id=0, owners={0: Role.READER})
    with filled.meddling() as connection:
        connection.exec_driver_sql("UPDATE session SET visibility = 'private'")
        told = entries(connection, ANYBODY, 0, 100)
        whole = entries(connection, owner, 0, 100)
    assert [one["kind"] for one in told] == ["key", *[None] * 10]
    hidden = dict.fromkeys(("kind", "atUs", "salt", "record", "withheld"))
    assert all({**one, **hidden} == one for one in told[1:])
    assert [one["leafHash"] for one in told] == [one["leafHash"] for one in whole]
    assert all(one["record"] for one in whole)


@pytest.mark.parametrize("kind", ["session", "job", "artifact", "composite", "label"])
def test_withholding_leaves_no_word_and_every_proof(filled: Filled, kind: str) -> None:
    index = filled.leaf_of(kind)
    connection = filled.database.engine.connect()
    with connection:
        if not filled.database.is_postgresql:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        signer = Signer(filled.data)
        before = everything(connection)
        done = withhold(connection, signer, index, "it named a person")
        signer.seal(connection)
        assert (done.kind, done.record_index) == (kind, 11)
        report = audit(connection)
        assert report.findings.found == []
        assert (report.withheld, report.size) == (1, 12)
        entry = entries(connection, ANYBODY, index, 1)[0]
        assert entry["record"] is entry["salt"] is None
        assert entry["withheld"]["reason"] == "it named a person"
        assert everything(connection) < before
        for reason in ("", "two\nlines", "x" * 501):
            with pytest.raises(GlaasError, match="must be one line"):
                withhold(connection, signer, index, reason)
        for again, words in ((index, "withheld already"), (0, "of kind key"), (11, "of kind with")):
            with pytest.raises(GlaasError, match=words):
                withhold(connection, signer, again, "x")
        connection.rollback()


def everything(connection: sa.Connection) -> int:
    """How often the mark is in the database."""
    from roar_glaas.storage.tables import metadata

    rows = [
        repr([bytes(v) if isinstance(v, memoryview) else v for v in row])
        for table in metadata.sorted_tables
        for row in connection.execute(sa.select(table))
    ]
    return sum(row.count(MARK) for row in rows)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE job SET command = NULL",
        "UPDATE edge SET path = NULL",
        "DELETE FROM record_bytes",
        "UPDATE withheld SET reason = 'other'",
        "DELETE FROM tree_head",
        "UPDATE log_key SET leaf_index = 1",
    ],
)
def test_nothing_is_blanked_that_is_not_withheld(filled: Filled, statement: str) -> None:
    connection = filled.database.engine.connect()
    with connection:
        if not filled.database.is_postgresql:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if "withheld" in statement:
            withhold(connection, Signer(filled.data), filled.leaf_of("label"), "x")
        with pytest.raises(sa.exc.DBAPIError, match="registered records are never changed"):
            connection.exec_driver_sql(statement)
        connection.rollback()


def test_a_withheld_row_can_be_blanked_and_nothing_else(filled: Filled) -> None:
    index = filled.leaf_of("job")
    for change in ("command = 'other'", "step = 7", "command = NULL, step = 7", "uid = NULL"):
        connection = filled.database.engine.connect()
        with connection:
            if not filled.database.is_postgresql:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            withhold(connection, Signer(filled.data), index, "x")
            with pytest.raises(sa.exc.DBAPIError, match="registered records are never changed"):
                connection.exec_driver_sql(f"UPDATE job SET {change} WHERE leaf_index = {index}")
            connection.rollback()


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


def test_canonical_bytes_are_those_of_the_page() -> None:
    content = head_bytes(3, b"\1" * 32, 5, b"\2" * 32)
    assert content == canonical_json(json.loads(content))
    assert content.decode() == (
        '{"at_us":5,"glaas":"tree-head","key":"' + "02" * 32 + '","root":"' + "01" * 32 + '",'
        '"size":3,"v":1}'
    )
