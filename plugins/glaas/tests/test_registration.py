"""Registering over HTTP and reading it back, on both databases."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from roar_core.identity import Leaf, tree_hash
from roar_core.transparency.merkle import leaf_hash, node_hash
from roar_glaas.log.proofs import root_of
from roar_glaas.storage.database import open_database
from roar_glaas.storage.tables import edge, leaf, metadata, record_bytes, session, staged

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

# Looks like a token of GitHub's and is none.
CANARY = "ghp_" + "C4n4ryC4n4ry" * 3


def body_of_job(uid: str = "1" * 32, **more: Any) -> dict[str, Any]:
    return {"command": "x", "timestamp": 1.0, "job_uid": uid, "step_number": 1} | more


def new_uid() -> str:
    return uuid4().hex


def test_health_is_not_wrapped_and_offers_anonymous_registration(refusing: Registry) -> None:
    told = refusing.client.get("/api/v1/health").json()
    assert told["limits"]["known_job_uids"] == 5_000
    features = told["features"]["registration_sessions"]
    assert features == {
        "anonymous_public": True,
        "finalize_server_authoritative_hash": True,
        "links_batch": True,
        "known_jobs": True,
        "publish": True,
    }
    assert told["features"]["labels"] == {"sync_of_versions": True, "current_of_many": True}
    assert refusing.client.get("/ready").json() == {"ready": True}


def test_what_is_registered_is_read_back(registry: Registry) -> None:
    name = registry.register()
    found = registry.client.get(f"/api/v1/artifacts/{'b' * 64}/dag").json()
    (job,) = found["jobs"]
    assert (job["command"], job["startedAt"], job["durationSeconds"]) == (
        "python train.py",
        1_700_000_000.25,
        1.5,
    )
    assert [edge["hash"] for edge in job["inputs"]] == ["a" * 64]
    assert found["gitCommit"] == ""
    lineage = registry.client.get(f"/api/v1/artifacts/{'a' * 12}/lineage").json()
    assert lineage["producedBy"] is None
    assert [one["jobUid"] for one in lineage["consumers"]] == ["1" * 32]
    whole = registry.client.get(f"/api/v1/public/sessions/{name}/reproduction").json()
    assert (whole["gitCommit"], len(whole["jobs"])) == ("c" * 40, 1)


def test_upstream_goes_through_every_job_and_stays_before_its_reader(shared: Registry) -> None:
    opened = shared.open()
    uids = [new_uid() for _ in range(5)]
    jobs = [body_of_job(uid, timestamp=float(n), step_number=n) for n, uid in enumerate(uids, 1)]
    opened.post("jobs/batch", {"jobs": jobs})
    names = [hashlib.sha256(bytes([n])).hexdigest() for n in range(6)]
    for n, uid in enumerate(uids):
        opened.post(f"jobs/{uid}/inputs", {"artifacts": [{"hash": names[n], "path": f"/{n}"}]})
        made = {"artifacts": [{"hash": names[n + 1], "path": f"/{n + 1}"}]}
        opened.post(f"jobs/{uid}/outputs", made)
    opened.post("finalize", {})
    found = shared.client.get(f"/api/v1/artifacts/{names[4]}/dag").json()
    assert [job["jobUid"] for job in found["jobs"]] == uids[:4]
    assert found["isWhole"] is True


def test_the_same_work_is_registered_once(shared: Registry) -> None:
    uid = new_uid()
    first = shared.register(uid=uid)
    opened = shared.open()
    told = opened.post("jobs/batch", {"jobs": [body_of_job(uid)]})
    assert told["already_registered_session_hashes"] == [first]
    assert (told["created_count"], told["existing_count"]) == (0, 0)
    assert told["existing_binding_prepared"] is True
    for _ in range(2):
        assert opened.post("finalize", {})["session_hash"] == first


def test_two_who_send_the_same_work_at_once_get_one_session(shared: Registry) -> None:
    uid = new_uid()
    both = [shared.open(), shared.open()]
    for opened in both:
        opened.post("jobs/batch", {"jobs": [body_of_job(uid)]})
    hashes = {opened.post("finalize", {})["session_hash"] for opened in both}
    assert len(hashes) == 1
    assert both[1].post("finalize", {})["created"] is False


def test_other_work_under_a_known_uid_is_refused(shared: Registry) -> None:
    uid = new_uid()
    both = [shared.open(), shared.open()]
    for number, opened in enumerate(both):
        opened.post("jobs/batch", {"jobs": [body_of_job(uid, command=f"x{number}")]})
    both[0].post("finalize", {})
    refused = both[1].answer("finalize", {})
    assert refused.status_code == 409
    assert "registered already" in refused.json()["detail"]


@pytest.mark.parametrize("side", ["jobs", "inputs", "outputs"])
def test_counts_that_do_not_match_register_nothing(shared: Registry, side: str) -> None:
    opened = shared.open()
    opened.post("jobs/batch", {"jobs": [body_of_job(new_uid())]})
    expected = {"jobs": 1, "inputs": 0, "outputs": 0}
    answer = opened.answer("finalize", {"expected": expected | {side: 7}})
    assert answer.status_code == 422
    assert opened.answer("finalize", {"expected": expected}).status_code == 200


def test_secrets_are_masked_before_they_are_kept(registry: Registry) -> None:
    opened = registry.open()
    uid = "2" * 32
    told = opened.post(
        "jobs/batch",
        {
            "jobs": [
                body_of_job(
                    uid,
                    command=f"train --api-key {CANARY}",
                    metadata=json.dumps({"runtime": {"env": {"GH_TOKEN": CANARY}}}),
                )
            ]
        },
    )
    assert told["masked"]
    link = {"hash": "d" * 64, "path": f"/data/{CANARY}"}
    opened.post(f"jobs/{uid}/outputs", {"artifacts": [link]})
    described = {"hashes": [{"algorithm": "blake3", "digest": "d" * 64}], "size": 1}
    described |= {"source_url": f"https://user:{CANARY}@example.org/x", "source_type": "https"}
    opened.post("artifacts/batch", {"artifacts": [described]})
    final = opened.post("finalize", {"git_repo": f"https://me:{CANARY}@example.org/r.git"})
    remote = {"roar": {"git": {"remote_url": f"https://{CANARY}@example.org/r.git"}}}
    label = {"entity_type": "dag", "session_hash": final["session_hash"], "metadata": remote}
    opened.post("labels/batch", {"labels": [label]})
    database = open_database(registry.database_url)
    with database.read() as connection:
        rows = [
            repr([bytes(v) if isinstance(v, memoryview) else v for v in row])
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        ]
    database.dispose()
    assert len(rows) > 10
    assert [row for row in rows if CANARY in row] == []


def test_every_record_is_a_leaf_of_the_log(registry: Registry) -> None:
    registry.register()
    registry.register(uid="3" * 32, output="e" * 64)
    database = open_database(registry.database_url)
    with database.read() as connection:
        rows = connection.execute(
            sa.select(leaf.c.hash, leaf.c.kind, record_bytes.c.salt, record_bytes.c.bytes)
            .join(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
            .order_by(leaf.c.index)
        ).all()
        leaves = [bytes(row.hash) for row in rows]
        for size in range(len(leaves) + 1):
            assert root_of(connection, size) == root_by_definition(leaves[:size])
        assert connection.execute(sa.select(sa.func.count()).select_from(staged)).scalar() == 0
        assert connection.execute(sa.select(sa.func.count()).select_from(session)).scalar() == 2
    database.dispose()
    assert [row.kind for row in rows] == ["key", "session", "job", "session", "job"]
    for row in rows:
        assert leaf_hash(bytes(row.salt), bytes(row.bytes)) == bytes(row.hash)
        assert json.loads(bytes(row.bytes))["kind"] == row.kind


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(root_by_definition(leaves[:k]), root_by_definition(leaves[k:]))


def test_a_dataset_whose_members_are_all_sent_is_proven(shared: Registry) -> None:
    digests = [hashlib.sha256(name).hexdigest() for name in (b"x", b"y")]
    root = tree_hash(Leaf(f"part-{n}", "blake3", digest) for n, digest in enumerate(digests))
    members = [
        {
            "relative_path": f"part-{n}",
            "leaf_kind": "file",
            "component_algorithm": "blake3",
            "component_digest": digest,
        }
        for n, digest in enumerate(digests)
    ]
    body = {
        "hash": root.root,
        "hashes": [{"algorithm": root.algorithm, "digest": root.root}],
        "component_count_total": 2,
        "components": members,
    }
    opened, uid = shared.open(), new_uid()
    opened.post("artifacts/composites", body)
    wrong = body | {"components": [members[0], members[1] | {"relative_path": "part-9"}]}
    assert opened.answer("artifacts/composites", wrong).status_code == 422
    opened.post("jobs/batch", {"jobs": [body_of_job(uid)]})
    view = {"relation": "consumes", "target_hash": root.root, "selected_count": 1}
    opened.post(f"jobs/{uid}/view-edges", {"view_edges": [view | {"parent_total": 2}]})
    opened.post("finalize", {"expected": {"jobs": 1, "inputs": 0, "outputs": 0}})
    found = shared.client.get(f"/api/v1/artifacts/{root.root}").json()
    assert (found["isComposite"], found["isProven"], found["componentCount"]) == (True, True, 2)
    listed = shared.client.get(f"/api/v1/artifacts/{root.root}/components").json()
    assert [one["relativePath"] for one in listed["components"]] == ["part-0", "part-1"]
    page = shared.client.get(f"/artifacts/{root.root}").text
    assert "All of them are here, and give this hash." in page


def test_of_a_view_nothing_but_its_filter_is_kept(registry: Registry) -> None:
    opened = registry.open()
    opened.post("jobs/batch", {"jobs": [body_of_job()]})
    view = {"relation": "consumes", "target_hash": "f" * 64, "selected_count": 1, "parent_total": 2}
    path = f"jobs/{'1' * 32}/view-edges"
    bloom = {"bloom_filter_base64": "AAAA", "bloom_bits": 24, "bloom_hashes": 1, "more": CANARY}
    refused = opened.answer(path, {"view_edges": [view | {"bloom": bloom | {"bloom_bits": 9}}]})
    assert refused.status_code == 400
    opened.post(path, {"view_edges": [view | {"bloom": bloom}]})
    opened.post("finalize", {})
    database = open_database(registry.database_url)
    with database.read() as connection:
        kept = connection.execute(sa.select(edge.c.bloom)).scalar_one()
        logged = connection.execute(sa.select(record_bytes.c.bytes)).scalars().all()
    database.dispose()
    del bloom["more"]
    assert json.loads(kept) == bloom
    assert not any(CANARY.encode() in bytes(content) for content in logged)


def test_labels_are_versions(shared: Registry) -> None:
    opened, uid, made = shared.open(), new_uid(), new_uid() * 2
    opened.post("jobs/batch", {"jobs": [body_of_job(uid)]})
    out = {"artifacts": [{"hash": made, "path": "/out"}]}
    opened.post(f"jobs/{uid}/outputs", out)
    name = opened.post("finalize", {})["session_hash"]
    label = {"entity_type": "artifact", "session_hash": name, "artifact_hash": made}
    for value, counts in ((1, (1, 0, 0)), (1, (0, 0, 1)), (2, (0, 1, 0))):
        told = opened.post("labels/batch", {"labels": [label | {"metadata": {"v": value}}]})
        assert (told["created"], told["updated"], told["noops"]) == counts
    (found,) = shared.client.get(f"/api/v1/artifacts/{made}").json()["labels"]
    assert (found["metadata"], found["version"]) == ({"v": 2}, 2)


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("jobs/batch", {"jobs": []}, "jobs"),
        ("jobs/batch", {"jobs": 3}, "jobs"),
        ("jobs/batch", [], "object"),
        ("jobs/batch", {"jobs": [body_of_job("zz")]}, "job_uid"),
        ("jobs/batch", {"jobs": [body_of_job(timestamp=-1)]}, "timestamp"),
        ("jobs/batch", {"jobs": [body_of_job(timestamp=1e300)]}, "timestamp"),
        ("jobs/batch", {"jobs": [body_of_job(step_number=2**70)]}, "step_number"),
        ("jobs/batch", {"jobs": [body_of_job(exit_code=2**40)]}, "exit_code"),
        ("jobs/batch", {"jobs": [body_of_job(command="a\0b")]}, "command"),
        ("jobs/batch", {"jobs": [body_of_job(metadata="{")]}, "metadata"),
        ("jobs/batch", {"jobs": [body_of_job(metadata="[1]")]}, "metadata"),
        ("jobs/batch", {"jobs": [body_of_job(metadata="[" * 50_000)]}, "metadata"),
        ("jobs/batch", {"jobs": [body_of_job(git_commit="HEAD")]}, "git_commit"),
        ("jobs/xyz/inputs", {"artifacts": []}, "job"),
        (f"jobs/{'1' * 32}/inputs", {"artifacts": [{"hash": "q", "path": "/"}]}, "hash"),
        ("artifacts/batch", {"artifacts": [{"hashes": []}]}, "hashes"),
        ("finalize", {"git_commit": "'; DROP TABLE job"}, "git_commit"),
    ],
)
def test_a_malformed_body_is_refused_naming_the_field(
    refusing: Registry, path: str, body: Any, word: str
) -> None:
    answer = refusing.open().answer(path, body)
    assert 400 <= answer.status_code < 500, answer.text
    assert word in answer.json()["detail"]


def test_a_registration_needs_its_own_secret(refusing: Registry) -> None:
    mine, other = refusing.open(), refusing.open()
    mine.token, other.token = other.token, mine.token
    assert mine.answer("finalize", {}).status_code == 401
    mine.token = "x"
    assert mine.answer("finalize", {}).status_code == 401


def test_the_api_is_described(refusing: Registry) -> None:
    found = refusing.client.get("/schema/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    assert "/api/v1/registration-sessions/{name}/finalize" in found["paths"]


@pytest.mark.parametrize("body", [None, {}, {"mode": "private"}])
def test_who_does_not_say_anonymous_is_never_published(refusing: Registry, body: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer something"}):
        answer = refusing.client.post("/api/v1/registration-sessions", json=body, headers=headers)
        assert answer.status_code in (400, 401), answer.text


@pytest.mark.parametrize(
    "reference", ["", "abc", "zz" * 20, "f" * 64, "..%2f..", "'or'1", "a" * 500]
)
def test_what_is_not_registered_is_not_found(refusing: Registry, reference: str) -> None:
    for path in ("/api/v1/artifacts/", "/artifacts/", "/dag/"):
        # Without a reference, /api/v1/artifacts is where the legacy path registers one.
        known = (404,) if reference else (404, 405)
        assert refusing.client.get(path + reference).status_code in known


def test_pages_escape_everything_and_allow_no_script(shared: Registry) -> None:
    made = new_uid() * 2
    name = shared.register(uid=new_uid(), output=made, command="<script>alert(1)</script>'\"&")
    for path in (f"/artifacts/{made}", f"/dag/{name}"):
        page = shared.client.get(path)
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert "&lt;script&gt;" in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert shared.client.get("/style.css").headers["content-type"].startswith("text/css")
    found = shared.client.get("/search", params={"q": "BLAKE3:" + made.upper()})
    assert found.headers["location"] == f"/artifacts/{made}"


def test_a_link_to_a_dataset_that_is_registered_names_the_dataset(shared: Registry) -> None:
    member = {"relative_path": "a", "leaf_kind": "file"}
    member |= {"component_algorithm": "blake3", "component_digest": "e" * 64}
    root = tree_hash([Leaf("a", "blake3", "e" * 64)]).root
    body = {"hash": root, "component_count_total": 1, "components": [member]}
    body |= {"hashes": [{"algorithm": "composite-blake3", "digest": root}]}
    view = {"relation": "consumes", "target_hash": root, "selected_count": 1, "parent_total": 1}
    link = {"hash": root, "path": "/p/data"}
    # A part of it is read before anybody described it, then it is described, then linked whole.
    for number, sent in enumerate(
        (
            {"jobs/{}/view-edges": {"view_edges": [view]}},
            {"artifacts/composites": body},
            {"jobs/{}/inputs": {"artifacts": [link]}},
        )
    ):
        opened, uid = shared.open(), str(number) * 32
        opened.post("jobs/batch", {"jobs": [body_of_job(uid)]})
        for path, content in sent.items():
            opened.post(path.format(uid), content)
        opened.post("finalize", {})
    told = shared.client.get(f"/api/v1/artifacts/{root}")
    assert (told.status_code, told.json()["isComposite"]) == (200, True)
    read = shared.client.get(f"/api/v1/artifacts/{root}/lineage").json()["consumers"]
    assert {one["jobUid"][0] for one in read} == {"0", "2"}


def test_an_object_known_by_its_etag_alone_is_linked_and_found(shared: Registry) -> None:
    tag, uid = f"{uuid4().hex}-12", new_uid()
    opened = shared.open()
    opened.post("jobs/batch", {"jobs": [body_of_job(uid)]})
    link = {"hash": tag, "algorithm": "etag", "path": "s3://bucket/data.bin", "size": 7}
    plain = {"hash": uid * 2, "path": "/in"}
    sums = {"hash": "5a" * 32, "algorithm": "sha256", "path": "/sums"}
    opened.post(f"jobs/{uid}/inputs", {"artifacts": [link, plain, sums]})
    for wrong in ({"algorithm": "crc32"}, {"algorithm": "etag", "hash": ""}):
        answer = opened.answer(f"jobs/{uid}/inputs", {"artifacts": [link | wrong]})
        assert answer.status_code == 400
    expected = {"jobs": 1, "inputs": 3, "outputs": 0}
    name = opened.post("finalize", {"expected": expected})["session_hash"]
    (job,) = shared.client.get(f"/api/v1/sessions/{name}").json()["jobs"]
    told = {(one["algorithm"], one["hash"]) for one in job["inputs"]}
    assert told == {("etag", tag), ("blake3", uid * 2), ("sha256", "5a" * 32)}
    for reference in (tag, f"etag:{tag}"):
        found = shared.client.get(f"/api/v1/artifacts/{reference}").json()
        assert (found["hash"], found["size"]) == (tag, 7)
    assert tag in shared.client.get(f"/artifacts/{tag}").text
    (read,) = shared.client.get(f"/api/v1/graph/artifacts/etag:{tag}/consumers").json()["jobs"]
    assert read["jobUid"] == uid
    assert shared.client.get(f"/api/v1/artifacts/etag:{tag[:-1]}").status_code == 404
    assert shared.glaas("verify").returncode == 0
