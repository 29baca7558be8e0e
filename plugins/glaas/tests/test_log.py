"""The log over HTTP, what an auditor finds in a database that was meddled with, withholding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa
from logged import DIGESTS, MARK, fill, meddling

from roar_core.identity import canonical_json
from roar_core.transparency.merkle import leaf_hash, node_hash
from roar_core.transparency.statements import TreeHead, head_bytes
from roar_core.transparency.verifying import (
    verify_consistency,
    verify_head,
    verify_inclusion,
    verify_keys,
)
from roar_glaas.access.caller import ANYBODY, Caller, Role
from roar_glaas.audit.inside import Report, audit_database
from roar_glaas.errors import GlaasError
from roar_glaas.log.entries import entries
from roar_glaas.log.keyfile import make_key
from roar_glaas.log.signing import Signer
from roar_glaas.log.withholding import withhold
from roar_glaas.storage.database import Database, open_database

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


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

    def meddling(self) -> AbstractContextManager[sa.Connection]:
        """A transaction of an administrator without the guards; it is rolled back at its end."""
        return meddling(self.database)

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


@pytest.fixture(scope="module")
def filled_server(shared: Registry) -> Iterator[Filled]:
    session_hash, root = fill(shared)
    with shared.database() as database:
        yield Filled(shared, shared.data, database, session_hash, root)


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
    "job hash": (
        "UPDATE job SET job_hash = NULL WHERE job_hash IS NOT NULL",
        "job 11111111: job_hash is None in its row, and b3b3",
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


def test_canonical_bytes_are_those_of_the_page() -> None:
    content = head_bytes(3, b"\1" * 32, 5, b"\2" * 32)
    assert content == canonical_json(json.loads(content))
    assert content.decode() == (
        '{"at_us":5,"glaas":"tree-head","key":"' + "02" * 32 + '","root":"' + "01" * 32 + '",'
        '"size":3,"v":1}'
    )
