"""Labels: edited by who may, in versions, on both databases."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from roar_glaas.access.caller import ANYBODY, NOBODY, Caller, Role
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthenticated
from roar_glaas.labels import documents, wire
from roar_glaas.labels.reconcile import answer, apply, plan
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import record_bytes

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

CANARY = "ghp_" + "C4n4ryC4n4ry" * 3
# Somebody signed in to whom an owner gave a role in all that it has; here it is nobody's sessions.
WRITER = Caller(owner_id=7, owners={NOBODY: Role.WRITER})
READER = Caller(owner_id=8, owners={NOBODY: Role.READER})


@pytest.mark.parametrize(
    ("document", "key", "left"),
    [
        ({"a": 1}, "a", {}),
        ({"a": {"b": 1, "c": 2}}, "a.b", {"a": {"c": 2}}),
        ({"a": {"b": {"c": 1}}, "d": 1}, "a.b.c", {"d": 1}),
        ({"a": {"b": {"c": 1}}, "d": 1}, "a", {"d": 1}),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", {"a": {"b": 2}}),
        ({"a": 1}, "a.b", {"a": 1}),
        ({"a": 1}, "b", {"a": 1}),
        ({"a": 1}, "", {"a": 1}),
    ],
)
def test_a_key_leaves_a_document(document: Any, key: str, left: Any) -> None:
    assert documents.without(document, [key]) == left


def test_a_patch_replaces_leaves_alone() -> None:
    before = {"a": {"b": 1, "c": 2}, "d": [1], "e": 1}
    patch = {"a": {"b": {"x": 1}}, "d": [2], "e": {"f": 1}}
    assert documents.merged(before, patch) == {
        "a": {"b": {"x": 1}, "c": 2},
        "d": [2],
        "e": {"f": 1},
    }


@pytest.mark.parametrize(
    ("key", "reserved"),
    [("roar", True), ("tag.license", True), ("dataset.id", True), ("dataset.note", False)],
)
def test_what_roar_sets_is_reserved(key: str, reserved: bool) -> None:
    assert documents.is_reserved(key) is reserved


@pytest.fixture
def uid() -> str:
    """The only job of `session`: of one that no other test has."""
    return uuid.uuid4().hex


@pytest.fixture
def session(shared: Registry, uid: str) -> str:
    return shared.register(uid=uid, output=uid * 2)


@pytest.fixture
def database(shared: Registry) -> Iterator[Database]:
    with shared.database() as found:
        yield found


def reconcile(
    database: Database, caller: Caller, session: str, *changes: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """What `labels/reconcile` does for a caller."""
    labels = [wire.Change(**{"session_hash": session, **change}) for change in changes]
    with database.append() as connection:
        edits = plan(connection, caller, Door(), wire.Reconcile(labels=labels, **more))
        if not more.get("dry_run"):
            apply(connection, edits)
    return answer(edits)


def test_edits_are_versions_and_equal_ones_make_none(
    shared: Registry, database: Database, session: str, uid: str
) -> None:
    dag = {"entity_type": "dag"}
    artifact = {"entity_type": "artifact", "artifact_hash": uid * 2}
    of_job = {"entity_type": "job", "job_uid": uid}
    for target in (dag, artifact, of_job):
        change = target | {"metadata": {"a": {"b": 1}, "owner": "me"}}
        told = [reconcile(database, WRITER, session, change) for _ in range(2)]
        assert [(one["created"], one["noops"]) for one in told] == [(1, 0), (0, 1)]
        gone = {"metadata": {"a": {"c": 2}}, "deleted_keys": ["a.b", "never"], "base_version": 1}
        told[0] = reconcile(database, WRITER, session, target | gone)
        assert (told[0]["updated"], told[0]["deletedKeys"], told[0]["processed"]) == (1, 2, 1)
        (row,) = told[0]["results"]
        assert row == {
            "entityType": target["entity_type"],
            "sessionHash": session,
            "jobUid": target.get("job_uid"),
            "artifactHash": target.get("artifact_hash"),
            "action": "updated",
            "version": 2,
            "deletedKeys": ["a.b", "never"],
        }
        asked = target | {"session_hash": session}
        found = shared.client.get("/api/v1/labels/current", params=asked).json()
        assert (found["version"], found["metadata"]) == (2, {"a": {"c": 2}, "owner": "me"})
        assert found["keyOrigins"] == {"a.c": "user", "owner": "user"}
        assert found["canEdit"] is False
        listed = shared.client.get("/api/v1/labels/history", params=asked).json()["labels"]
        assert [(one["version"], one["metadata"]) for one in listed] == [
            (1, {"a": {"b": 1}, "owner": "me"}),
            (2, {"a": {"c": 2}, "owner": "me"}),
        ]
    with database.read() as connection:
        kept = [
            json.loads(bytes(content))
            for content in connection.execute(sa.select(record_bytes.c.bytes)).scalars()
        ]
    mine = [one for one in kept if one["kind"] == "label" and one["session"] == session]
    assert [one["version"] for one in mine] == [1, 2] * 3


def test_labels_of_many_things_come_in_their_order_and_are_cut_when_they_are_long(
    shared: Registry, database: Database, session: str, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_job = {"entity_type": "job", "job_uid": uid, "session_hash": session}
    artifact = {"entity_type": "artifact", "artifact_hash": uid * 2, "session_hash": session}
    dag = {"entity_type": "dag", "session_hash": session}
    long = {"x": "y" * 900_000}
    reconcile(database, WRITER, session, artifact | {"metadata": {"a": 1}})
    reconcile(database, WRITER, session, dag | {"metadata": long})

    def asked(*targets: dict[str, str]) -> Any:
        answer = shared.client.post("/api/v1/labels/current/batch", json={"labels": list(targets)})
        return answer.json()["labels"] if answer.status_code == 200 else answer.json()["detail"]

    job_row, artifact_row = asked(of_job, artifact)
    assert job_row is None
    assert artifact_row == shared.client.get("/api/v1/labels/current", params=artifact).json()
    cut = asked(*[dag] * 9)
    assert 1 <= len(cut) < 9
    assert {row["metadata"]["x"] for row in cut} == {long["x"]}
    assert asked() == []
    assert "at most 500" in asked(*[dag] * 501)
    assert "entity_type" in asked({"entity_type": "x", "session_hash": session})


def test_an_artifact_is_found_by_the_beginning_of_its_hash(
    shared: Registry, database: Database, session: str, uid: str
) -> None:
    asked = {"entity_type": "artifact", "artifact_hash": uid[:8]}
    missing = shared.client.get("/api/v1/labels/current", params=asked)
    assert missing.status_code == 404
    assert "endpoint not found" not in missing.text.lower()
    change = {"entity_type": "artifact", "artifact_hash": uid * 2, "metadata": {"x": 1}}
    reconcile(database, WRITER, session, change)
    found = shared.client.get("/api/v1/labels/current", params=asked).json()
    assert (found["sessionHash"], found["artifactHash"]) == (session, uid * 2)


def test_an_edit_of_an_old_version_is_refused_and_nothing_is_written(
    shared: Registry, database: Database, session: str, uid: str
) -> None:
    dag = {"entity_type": "dag", "metadata": {"a": 1}}
    reconcile(database, WRITER, session, dag | {"base_version": 0})
    stale = dag | {"metadata": {"a": 2}, "base_version": 0}
    of_job = {"entity_type": "job", "job_uid": uid, "metadata": {"b": 1}}
    with pytest.raises(Conflict, match="at version 1 by now"):
        reconcile(database, WRITER, session, of_job, stale)
    told = reconcile(database, WRITER, session, of_job, stale, dry_run=True)
    assert [row["action"] for row in told["results"]] == ["created", "conflict"]
    assert [row["version"] for row in told["conflicts"]] == [1]
    asked = of_job | {"session_hash": session}
    del asked["metadata"]
    assert shared.client.get("/api/v1/labels/current", params=asked).status_code == 404


def test_prune_leaves_what_roar_set(shared: Registry, database: Database, session: str) -> None:
    opened = shared.open()
    opened.post(
        "jobs/batch",
        {"jobs": [{"command": "x", "timestamp": 1.0, "job_uid": "6" * 32, "step_number": 1}]},
    )
    name = opened.post("finalize", {})["session_hash"]
    system = {"roar": {"git": {"commit": "c"}}, "machine": "m", "mine": 1}
    origins = {"roar.git.commit": "system", "machine": "system", "mine": "user"}
    body = {"entity_type": "dag", "session_hash": name, "metadata": system, "key_origins": origins}
    opened.post("labels/batch", {"labels": [body]})
    change = {"entity_type": "dag", "metadata": {"new": 2}}
    told = reconcile(database, WRITER, name, change, prune=True)
    assert told["results"][0]["deletedKeys"] == ["mine"]
    asked = {"entity_type": "dag", "session_hash": name}
    found = shared.client.get("/api/v1/labels/current", params=asked).json()
    assert found["metadata"] == {"roar": {"git": {"commit": "c"}}, "machine": "m", "new": 2}
    assert found["keyOrigins"] == {
        "machine": "system",
        "new": "user",
        "roar.git.commit": "system",
    }


def test_secrets_in_labels_are_masked(shared: Registry, database: Database, session: str) -> None:
    change = {"entity_type": "dag", "metadata": {"note": f"use {CANARY}", "api_token": "hunter2x"}}
    reconcile(database, WRITER, session, change)
    asked = {"entity_type": "dag", "session_hash": session}
    told = shared.client.get("/api/v1/labels/history", params=asked).text
    assert CANARY not in told
    assert "hunter2x" not in told


@pytest.mark.parametrize(
    ("caller", "name", "error"),
    [
        (ANYBODY, None, Unauthenticated),
        (READER, None, Forbidden),
        (Caller(owner_id=9), None, Forbidden),
        (WRITER, "f" * 64, NotFound),
        (WRITER, "", NotFound),
        (WRITER, "zz", NotFound),
    ],
)
def test_only_writers_change_labels(
    database: Database, session: str, caller: Caller, name: str | None, error: type[Exception]
) -> None:
    change = {"entity_type": "dag", "metadata": {"a": 1}}
    with pytest.raises(error):
        reconcile(database, caller, session if name is None else name, change)


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels else {"a": 1}


def test_a_malformed_edit_is_refused_naming_the_field(database: Database, session: str) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"entity_type": "folder"}, "entity_type"),
        ({"entity_type": "job"}, "job_uid"),
        ({"entity_type": "artifact"}, "artifact_hash"),
        ({"entity_type": "dag", "metadata": {"roar": {"x": 1}}}, "roar.x"),
        ({"entity_type": "dag", "deleted_keys": ["tag.license"]}, "tag.license"),
        ({"entity_type": "dag", "deleted_keys": ["a\0"]}, "deleted_keys"),
        ({"entity_type": "dag", "metadata": nested(40)}, "metadata"),
        ({"entity_type": "dag", "metadata": {"a": "\0"}}, "labels of dag"),
        ({"entity_type": "dag", "metadata": {"a": float("nan")}}, "labels of dag"),
    ]
    for change, word in cases:
        with pytest.raises(BadRequest, match=word):
            reconcile(database, WRITER, session, change)
    with pytest.raises(BadRequest, match="mode"):
        reconcile(database, WRITER, session, {"entity_type": "dag"}, mode="replace")
    for change in (
        {"entity_type": "job", "job_uid": "9" * 32},
        {"entity_type": "artifact", "artifact_hash": "e" * 64},
    ):
        with pytest.raises(NotFound, match="the session has no"):
            reconcile(database, WRITER, session, change)


def test_without_an_account_nobody_edits(refusing: Registry) -> None:
    change = {"entity_type": "dag", "session_hash": "f" * 64, "metadata": {"a": 1}}
    for path in ("reconcile", "sync"):
        answer = refusing.client.post(f"/api/v1/labels/{path}", json={"labels": [change]})
        assert answer.status_code == 401
        malformed = refusing.client.post(f"/api/v1/labels/{path}", json={"labels": [{"x": 1}]})
        assert (malformed.status_code, "entity_type" in malformed.text) == (400, True)
    missing = refusing.client.get("/api/v1/labels/current", params={"entity_type": "dag"})
    assert (missing.status_code, "session_hash" in missing.text) == (400, True)
