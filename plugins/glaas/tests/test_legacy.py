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
from roar_glaas.storage.tables import leaf, metadata

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

    def finish(self) -> httpx.Response:
        """What the client sends last."""
        label = {"entity_type": "job", "session_hash": self.name, "job_uid": self.uid}
        return self.answer("labels/sync", {"labels": [label | {"metadata": {"a": 1}}]})


def count(registry: Registry) -> int:
    with registry.database() as database, database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(leaf)).scalar_one())


def test_a_session_counts_whole_when_its_labels_come(shared: Registry) -> None:
    client = Client(shared)
    made, read = new_hash(), new_hash()
    child = uuid.uuid4().hex[:8]
    assert [client.open()["created"] for _ in range(2)] == [True, False]
    described = {
        "hashes": [
            {"algorithm": "blake3", "digest": made},
            {"algorithm": "sha256", "digest": new_hash()},
        ],
        "size": 3,
        "source_type": None,
        "session_hash": client.name,
    }
    logged = count(shared)
    names = []
    for round_ in range(2):
        told = client.add_jobs(client.job(), client.job(job_uid=child, parent_job_uid=client.uid))
        assert (told["created_count"], told["errors"]) == (2, [None, None])
        assert client.post("artifacts/batch", {"artifacts": [described]})["created"] == 1
        assert client.get(f"artifacts/{made}")["hash"] == made  # as the client asks between
        client.link("inputs", (read, "/in"), (read, "/again"))
        client.link("outputs", (made, "/out"))
        if not round_:
            assert count(shared) == logged
            assert shared.client.get(f"/api/v1/sessions/{client.name}").status_code == 404
        assert client.finish().json()["created"] == 1 - round_
        names.append(client.get(f"sessions/{client.name}")["sessionHash"])
        assert count(shared) == logged + 5  # session, jobs, artifact, label
    assert names[0] == names[1]
    found = client.get(f"artifacts/{made}/dag")
    assert [job["command"] for job in found["jobs"]] == ["x"]
    assert [edge["path"] for edge in found["jobs"][0]["inputs"]] == ["/again", "/in"]
    whole = client.get(f"public/sessions/{client.name}/reproduction")
    assert (whole["gitCommit"], len(whole["jobs"])) == ("c" * 40, 2)
    verified = shared.glaas("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_what_waits_is_told_to_its_own_address_alone(shared: Registry) -> None:
    client = Client(shared)
    made = new_hash()
    client.open()
    one = {"hashes": [{"algorithm": "blake3", "digest": made}], "session_hash": client.name}
    client.post("artifacts", one)
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=shared.url, transport=transport) as elsewhere:
        assert elsewhere.get(f"/api/v1/artifacts/{made}").status_code == 404
    assert client.get(f"artifacts/{made}") == {"hash": made, "isRegistered": False}
    for part in (made[:40], "%", "_" * 64, "%0a" * 40):
        assert shared.client.get(f"/api/v1/artifacts/{part}").status_code == 404


def test_the_clients_hash_is_told_to_nobody(shared: Registry) -> None:
    client = Client(shared)
    told = client.open()
    linked = told["url"].rpartition("/dag/")[2]
    assert told["hash"] == client.name
    client.add_jobs()
    assert client.finish().status_code == 200
    registered = client.get(f"sessions/{linked}")["hash"]
    with shared.database() as database, database.read() as connection:
        rows = [
            repr([bytes(v) if isinstance(v, memoryview) else v for v in row])
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        ]
    assert rows
    assert [row for row in rows if client.name in row] == []
    # What is published does not open the session.
    for name in (linked, registered):
        answer = client.answer(f"sessions/{name}/jobs/batch", {"jobs": [client.job()]})
        assert answer.status_code == 404


def test_other_work_under_a_known_uid_is_refused(shared: Registry) -> None:
    client = Client(shared)
    client.open()
    client.add_jobs()
    assert client.finish().status_code == 200
    client.add_jobs(client.job(command="y"), client.job(job_uid="aaaaaaaa"))
    assert client.finish().status_code == 409
    (job,) = client.get(f"sessions/{client.name}")["jobs"]
    assert job["command"] == "x"


def test_a_put_adds_its_job_in_a_session_of_its_own(shared: Registry) -> None:
    client = Client(shared)
    client.open()
    client.add_jobs()
    client.finish()
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
    created = [client.post("artifacts/composites", dataset)["created"] for _ in range(2)]
    assert created == [True, False]
    put = attrs.evolve(client, uid=uuid.uuid4().hex[:8])
    body = put.job(job_type="put", metadata='{"put": {"destination": "s3://b/p"}}')
    assert put.post(f"sessions/{client.name}/jobs", body)["id"] == put.uid
    put.link("outputs", (root.root, "/data"))
    assert put.finish().json()["created"] == 1
    (job,) = client.get(f"sessions/{client.name}")["jobs"]
    assert (job["jobType"], job["outputs"][0]["hash"]) == ("put", root.root)
    found = client.get(f"artifacts/{root.root}")
    assert (found["isComposite"], found["isProven"]) == (True, True)
    # Labels of the job before are still that session's.
    assert client.finish().json()["noops"] == 1
    view = {"relation": "consumes", "target_hash": root.root, "selected_count": 1}
    late = client.answer(
        f"jobs/{client.uid}/artifacts", {"view_edges": [view | {"parent_total": 2}]}
    )
    assert (late.status_code, "update roar" in late.text) == (409, True)


def test_labels_need_the_hash_of_the_session(shared: Registry) -> None:
    client = Client(shared)
    made = new_hash()
    linked = client.open()["url"].rpartition("/dag/")[2]
    client.add_jobs()
    client.link("outputs", (made, "/out"))
    labels = [
        {"entity_type": "dag", "session_hash": client.name, "metadata": {"a": CANARY}},
        {
            "entity_type": "artifact",
            "session_hash": client.name,
            "artifact_hash": made,
            "metadata": {"c": 1},
            "key_origins": {"c": "system"},
        },
    ]
    counts = [client.post("labels/sync", {"labels": labels}) for _ in range(2)]
    assert [(one["created"], one["noops"]) for one in counts] == [(2, 0), (0, 2)]
    (found,) = client.get(f"artifacts/{made}")["labels"]
    registered = found["sessionHash"]
    assert (found["metadata"], client.get(f"sessions/{linked}")["hash"]) == ({"c": 1}, registered)
    history = client.get(f"labels/history?entity_type=dag&session_hash={registered}")
    assert CANARY not in json.dumps(history)
    for name in (registered, linked, new_hash(), shared.register(uid=uuid.uuid4().hex)):
        refused = client.answer("labels/sync", {"labels": [labels[0] | {"session_hash": name}]})
        assert refused.status_code == 401, refused.text


def test_two_who_send_the_same_session_at_once_register_it_once(shared: Registry) -> None:
    client = Client(shared)
    created: list[bool] = []
    counts: list[int] = []
    together = threading.Barrier(4)

    def register() -> None:
        created.append(client.open()["created"])
        client.add_jobs()
        client.link("inputs", (client.name, "/in"))
        together.wait()
        counts.append(client.finish().json()["created"])

    threads = [threading.Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False, False, False, True]
    assert sorted(counts) == [0, 0, 0, 1]
    (job,) = client.get(f"sessions/{client.name}")["jobs"]
    assert len(job["inputs"]) == 1


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
    """A server whose sessions are over at once."""
    yield from serving_with(tmp_path_factory.mktemp("strict"), "registration_ttl_s = 0\n")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server that takes one job a day."""
    yield from serving_with(tmp_path_factory.mktemp("narrow"), "anonymous_jobs_per_day = 1\n")


def serving_with(folder: Path, settings: str) -> Iterator[Registry]:
    from plugins.glaas.tests.conftest import serving

    (folder / "glaas.toml").write_text(settings)
    with serving(sqlite_address(folder / "glaas.db"), folder) as found:
        yield found


def test_a_session_that_is_over_takes_nothing(strict: Registry) -> None:
    client = Client(strict)
    client.open()
    answer = client.answer(f"sessions/{client.name}/jobs/batch", {"jobs": [client.job()]})
    assert (answer.status_code, answer.json()["error"]) == (409, "closed")


def test_an_address_has_its_quota(narrow: Registry) -> None:
    client = Client(narrow)
    client.open()
    path = f"sessions/{client.name}/jobs/batch"
    two = [client.job(), client.job(job_uid="aa")]
    assert client.answer(path, {"jobs": two}).status_code == 429
    assert client.answer(path, {"jobs": two[:1]}).status_code == 201
