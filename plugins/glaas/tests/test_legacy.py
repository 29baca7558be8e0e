"""Registering without a registration session, as older clients do, on both databases."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest
import sqlalchemy as sa

from roar_core.identity import Leaf, tree_hash
from roar_glaas.storage.database import sqlite_address
from roar_glaas.storage.tables import metadata, record_bytes

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

CANARY = "ghp_" + "C4n4ryC4n4ry" * 3


def new_hash() -> str:
    return hashlib.sha256(uuid.uuid4().bytes).hexdigest()


@attrs.define
class Client:
    """One client of the legacy path, with a session of its own."""

    registry: Registry
    name: str = attrs.field(factory=new_hash)
    # As local as the client's: 8 hexadecimal digits.
    uid: str = attrs.field(factory=lambda: uuid.uuid4().hex[:8])

    def answer(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.registry.client.post(f"/api/v1/{path}", json=body, headers=headers)

    def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.answer(path, body)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        answer = self.registry.client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def open(self, **more: Any) -> dict[str, Any]:
        body = {"hash": self.name, "git_repo": "", "git_commit": "c" * 40, "git_branch": "main"}
        return self.post("sessions", body | more)

    def job(self, **more: Any) -> dict[str, Any]:
        return {"command": "x", "timestamp": 1.0, "job_uid": self.uid, "step_number": 1} | more

    def add_jobs(self, *bodies: dict[str, Any]) -> dict[str, Any]:
        return self.post(f"sessions/{self.name}/jobs/batch", {"jobs": bodies or [self.job()]})

    def link(self, side: str, *links: tuple[str, str]) -> dict[str, Any]:
        body = {"artifacts": [{"hash": digest, "path": path} for digest, path in links]}
        return self.post(f"sessions/{self.name}/jobs/{self.uid}/{side}", body)


def records(registry: Registry) -> list[dict[str, Any]]:
    with registry.database() as database, database.read() as connection:
        query = sa.select(record_bytes.c.bytes).order_by(record_bytes.c.leaf_index)
        return [json.loads(bytes(content)) for content in connection.execute(query).scalars()]


def test_a_session_grows_by_requests_and_repeats_nothing(shared: Registry) -> None:
    client = Client(shared)
    made, read = new_hash(), new_hash()
    child = uuid.uuid4().hex[:8]
    told = [client.open()["created"], client.open()["created"]]
    assert told == [True, False]
    before = 0
    for round_ in range(2):
        batch = client.add_jobs(client.job(), client.job(job_uid=child, parent_job_uid=client.uid))
        described = {
            "hashes": [
                {"algorithm": "blake3", "digest": made},
                {"algorithm": "sha256", "digest": new_hash() if not round_ else made},
            ],
            "size": 3,
            "source_type": None,
            "session_hash": client.name,
        }
        artifacts = client.post("artifacts/batch", {"artifacts": [described]})
        assert client.get(f"artifacts/{made}")["hash"] == made  # as the client asks between
        client.link("inputs", (read, "/in"), (read, "/again"))
        client.link("outputs", (made, "/out"))
        if not round_:
            assert (batch["created_count"], batch["errors"]) == (2, [None, None])
            assert (artifacts["created"], artifacts["existing"]) == (1, 0)
            before = len(records(shared))
        else:
            assert (batch["created_count"], batch["existing_count"]) == (0, 2)
            assert (artifacts["created"], artifacts["existing"]) == (0, 1)
    assert len(records(shared)) == before
    found = client.get(f"artifacts/{made}/dag")
    assert [job["command"] for job in found["jobs"]] == ["x"]
    assert [edge["path"] for edge in found["jobs"][0]["inputs"]] == ["/again", "/in"]
    whole = client.get(f"public/sessions/{client.name}/reproduction")
    assert (whole["gitCommit"], len(whole["jobs"])) == ("c" * 40, 2)
    mine = [one for one in records(shared) if one.get("session") == whole["sessionHash"]]
    assert [one["kind"] for one in mine] == ["session", "job", "job", "artifact", "edges", "edges"]


def test_the_clients_hash_is_told_to_nobody(shared: Registry) -> None:
    client = Client(shared)
    told = client.open()
    client.add_jobs()
    client.link("outputs", (new_hash(), "/out"))
    assert told["hash"] == client.name
    assert told["url"].endswith(f"/dag/{told['registered_hash']}")
    assert client.get(f"sessions/{told['registered_hash']}")["hash"] == told["registered_hash"]
    with shared.database() as database, database.read() as connection:
        rows = [
            repr([bytes(v) if isinstance(v, memoryview) else v for v in row])
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        ]
    assert rows
    assert [row for row in rows if client.name in row] == []
    # What is published does not open the session.
    public = attrs.evolve(client, name=told["registered_hash"])
    answer = public.answer(f"sessions/{public.name}/jobs/batch", {"jobs": [client.job()]})
    assert answer.status_code == 404


def test_other_work_under_a_known_uid_is_refused(shared: Registry) -> None:
    client = Client(shared)
    client.open()
    client.add_jobs()
    path = f"sessions/{client.name}/jobs/batch"
    other = [client.job(job_uid="aaaaaaaa"), client.job(command="y")]
    assert client.answer(path, {"jobs": other}).status_code == 409
    assert client.get(f"sessions/{client.name}")["jobs"][0]["command"] == "x"
    assert len(client.get(f"sessions/{client.name}")["jobs"]) == 1  # all of it, or nothing
    orphan = [client.job(job_uid="bbbbbbbb", parent_job_uid="cccccccc")]
    assert client.answer(path, {"jobs": orphan}).status_code == 422


def test_a_put_adds_its_job_and_datasets_are_linked(shared: Registry) -> None:
    client = Client(shared)
    client.open()
    put = client.job(job_type="put", metadata='{"put": {"destination": "s3://b/p"}}')
    assert client.post(f"sessions/{client.name}/jobs", put)["id"] == client.uid
    members = [(f"part-{n}", new_hash()) for n in range(2)]
    root = tree_hash(Leaf(name, "blake3", digest) for name, digest in members)
    dataset = {
        "hash": root.root,
        "hashes": [{"algorithm": root.algorithm, "digest": root.root}],
        "component_count_total": 2,
        "session_hash": client.name,
        "components": [
            {
                "relative_path": name,
                "leaf_kind": "file",
                "component_algorithm": "blake3",
                "component_digest": digest,
            }
            for name, digest in members
        ],
    }
    assert [client.post("artifacts/composites", dataset)["created"] for _ in range(2)] == [
        True,
        False,
    ]
    view = {"relation": "consumes", "target_hash": root.root, "selected_count": 1}
    view |= {"parent_total": 2}
    for _ in range(2):
        client.post(f"jobs/{client.uid}/artifacts", {"view_edges": [view]})
    client.link("inputs", (root.root, "/data"))
    one = {
        "hashes": [{"algorithm": "blake3", "digest": members[0][1]}],
        "size": 1,
        "session_hash": client.name,
    }
    assert client.post("artifacts", one)["created"] is True
    found = client.get(f"artifacts/{root.root}")
    assert (found["isComposite"], found["isProven"]) == (True, True)
    (job,) = client.get(f"sessions/{client.name}")["jobs"]
    assert [(edge["hash"], edge["path"]) for edge in job["inputs"]] in (
        [(root.root, None), (root.root, "/data")],
        [(root.root, "/data"), (root.root, None)],
    )
    nowhere = client.answer("jobs/ffffffff/artifacts", {"view_edges": [view]})
    assert nowhere.status_code == 404


def test_labels_need_the_hash_of_the_session(shared: Registry) -> None:
    client = Client(shared)
    made = new_hash()
    registered = client.open()["registered_hash"]
    client.add_jobs()
    client.link("outputs", (made, "/out"))
    labels = [
        {"entity_type": "dag", "session_hash": client.name, "metadata": {"a": CANARY}},
        {
            "entity_type": "job",
            "session_hash": client.name,
            "job_uid": client.uid,
            "metadata": {"b": 1},
        },
        {
            "entity_type": "artifact",
            "session_hash": client.name,
            "artifact_hash": made,
            "metadata": {"c": 1},
            "key_origins": {"c": "system"},
        },
    ]
    counts = [client.post("labels/sync", {"labels": labels}) for _ in range(2)]
    assert [(one["created"], one["noops"]) for one in counts] == [(3, 0), (0, 3)]
    (found,) = client.get(f"artifacts/{made}")["labels"]
    assert (found["metadata"], found["sessionHash"]) == ({"c": 1}, registered)
    history = client.get(f"labels/history?entity_type=dag&session_hash={registered}")
    assert CANARY not in json.dumps(history)
    for name in (registered, new_hash(), shared.register(uid=uuid.uuid4().hex)):
        refused = client.answer("labels/sync", {"labels": [labels[0] | {"session_hash": name}]})
        assert refused.status_code == 401, refused.text


def test_two_who_open_the_same_session_at_once_share_it(shared: Registry) -> None:
    client = Client(shared)
    statuses: list[int] = []
    created: list[bool] = []

    def register() -> None:
        told = client.open()
        created.append(told["created"])
        for side in ("inputs", "outputs"):
            client.add_jobs()
            path = f"sessions/{client.name}/jobs/{client.uid}/{side}"
            link = {"hash": client.name, "path": f"/{side}"}
            statuses.append(client.answer(path, {"artifacts": [link]}).status_code)

    threads = [threading.Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(created), statuses) == ([False, False, False, True], [201] * 8)
    (job,) = client.get(f"sessions/{client.name}")["jobs"]
    assert (len(job["inputs"]), len(job["outputs"])) == (1, 1)


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("sessions", {"hash": "x"}, "hash"),
        ("sessions", {"hash": "A" * 64}, "hash"),
        ("sessions", {}, "hash"),
        ("sessions", {"hash": "a" * 64, "git_commit": "HEAD"}, "git_commit"),
        ("sessions/zz/jobs/batch", {"jobs": [{}]}, "command"),
        ("artifacts/batch", {"artifacts": [{"hashes": []}]}, "session_hash"),
        ("artifacts", {"hashes": [], "session_hash": "a" * 64}, "hashes"),
        (f"sessions/{'a' * 64}/jobs/..%2f/inputs", {"artifacts": []}, ""),
        (f"sessions/{'a' * 64}/jobs/{'a' * 99}/inputs", {"artifacts": []}, "job_uid"),
        (f"sessions/{'a' * 64}/jobs/aa/inputs", {"artifacts": []}, "no such session"),
        ("jobs/aa/artifacts", {"view_edges": [{"relation": "eats"}]}, ""),
    ],
)
def test_a_malformed_body_is_refused_naming_the_field(
    refusing: Registry, path: str, body: Any, word: str
) -> None:
    answer = refusing.client.post(f"/api/v1/{path}", json=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert word in answer.json()["detail"]


def test_who_means_to_register_privately_is_never_published(refusing: Registry) -> None:
    client = Client(refusing)
    body = {"hash": client.name}
    for headers, more in (
        ({"Authorization": "Bearer something"}, {}),
        ({}, {"scope_request": {"visibility": "private"}}),
    ):
        assert client.answer("sessions", body | more, **headers).status_code in (401, 403)
    assert refusing.client.get(f"/api/v1/sessions/{client.name}").status_code == 404


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server whose sessions are over at once, and that takes one job a day."""
    from plugins.glaas.tests.conftest import serving

    folder: Path = tmp_path_factory.mktemp("strict")
    (folder / "glaas.toml").write_text("registration_ttl_s = 0\nanonymous_jobs_per_day = 1\n")
    with serving(sqlite_address(folder / "glaas.db"), folder) as found:
        yield found


def test_a_session_that_is_over_takes_nothing(strict: Registry) -> None:
    client = Client(strict)
    client.open()
    path = f"sessions/{client.name}/jobs/batch"
    assert client.answer(path, {"jobs": [client.job()]}).status_code == 409
    two = [client.job(), client.job(job_uid="aa")]
    assert client.answer(path, {"jobs": two}).status_code == 429
