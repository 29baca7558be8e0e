"""What somebody does who means harm and knows the protocol; on both databases."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from roar_glaas.access.people import add_person
from roar_glaas.access.tokens import issue_personal
from roar_glaas.serving.rates import counts_always, is_attempt
from roar_glaas.storage.bulk import insert_rows
from roar_glaas.storage.tables import artifact

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Opened, Registry


def job_body(uid: str, **more: Any) -> dict[str, Any]:
    return {"command": "x", "timestamp": 1.0, "job_uid": uid, "step_number": 1} | more


def headers_of_somebody(registry: Registry) -> dict[str, str]:
    with registry.database() as database, database.write() as connection:
        person = add_person(connection, f"mallory-{uuid4().hex[:8]}")
        return {"Authorization": f"Bearer {issue_personal(connection, person.id, 'x', days=1)}"}


def linked(registry: Registry, digest: str, direction: str, *, at: float = 1.0) -> str:
    """Register a job that read ("inputs") or wrote ("outputs") a file; returns the job's uid."""
    opened, uid = registry.open(), uuid4().hex
    opened.post("jobs/batch", {"jobs": [job_body(uid, timestamp=at)]})
    opened.post(f"jobs/{uid}/{direction}", {"artifacts": [{"hash": digest, "path": "/p/data"}]})
    opened.post("finalize", {})
    return uid


def claim_a_dataset(registry: Registry, digest: str, *, privately: bool) -> None:
    """Say of a digest that it is a dataset's, whose members nobody can look at."""
    member = {"relative_path": "a", "leaf_kind": "file"}
    member |= {"component_algorithm": "blake3", "component_digest": "e" * 64}
    claim = {"hash": digest, "component_count_total": 2, "components": [member]}
    claim |= {"hashes": [{"algorithm": "composite-blake3", "digest": digest}]}
    uid, finalize = uuid4().hex, {}
    opened: Opened | Mine
    if privately:
        opened = Mine(registry)
        finalize = {"scope_request": {"owner_resolution": "current_user", "visibility": "private"}}
    else:
        opened = registry.open()
    opened.post("artifacts/composites", claim)
    opened.post("jobs/batch", {"jobs": [job_body(uid, command="a lie")]})
    opened.post(f"jobs/{uid}/inputs", {"artifacts": [{"hash": digest, "path": "/lie"}]})
    opened.post("finalize", finalize)


class Mine:
    """An open registration of somebody new."""

    def __init__(self, registry: Registry) -> None:
        self._client, self.headers = registry.client, headers_of_somebody(registry)
        opened = self._client.post("/api/v1/registration-sessions", headers=self.headers)
        self._name = opened.json()["registration_session_id"]

    def post(self, path: str, body: Any) -> dict[str, Any]:
        address = f"/api/v1/registration-sessions/{self._name}/{path}"
        answer = self._client.post(address, json=body, headers=self.headers)
        assert answer.is_success, answer.text
        return dict(answer.json())


@pytest.mark.parametrize("privately", [False, True])
def test_a_file_keeps_its_name_when_somebody_says_it_is_a_dataset(
    shared: Registry, privately: bool
) -> None:
    digest = uuid4().hex * 2
    made = linked(shared, digest, "outputs")
    claim_a_dataset(shared, digest, privately=privately)
    told = shared.client.get(f"/api/v1/artifacts/{digest}").json()
    assert (told["isComposite"], told["kind"]) == (False, "file")
    read = linked(shared, digest, "inputs", at=2.0)
    lineage = shared.client.get(f"/api/v1/artifacts/{digest}/lineage").json()
    assert lineage["producedBy"]["jobUid"] == made
    assert [one["jobUid"] for one in lineage["consumers"]] == [read]


def test_a_hidden_claim_says_nothing_of_what_a_link_names(shared: Registry) -> None:
    digest = uuid4().hex * 2
    claim_a_dataset(shared, digest, privately=True)
    read = linked(shared, digest, "inputs")
    told = shared.client.get(f"/api/v1/artifacts/{digest}").json()
    lineage = shared.client.get(f"/api/v1/artifacts/{digest}/lineage").json()
    assert (told["kind"], [one["jobUid"] for one in lineage["consumers"]]) == ("file", [read])


def test_without_an_account_everything_that_is_kept_counts(
    database_url: str, tmp_path: Path, serve: Any
) -> None:
    """Openings, labels and what names a checkout too; and a /64 of IPv6 is one address."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "glaas.toml").write_text(
        'anonymous_bytes_per_day = 20_000\ntrusted_proxies = ["127.0.0.1"]\n'
    )
    numbers = itertools.count(1)
    with serve(database_url, tmp_path / "data") as registry:

        def post(network: str, path: str, body: Any, **headers: str) -> httpx.Response:
            headers["X-Forwarded-For"] = f"2001:db8:0:{network}::{next(numbers):x}"
            return registry.client.post(f"/api/v1/{path}", json=body, headers=headers)

        openings = [
            post("1", "registration-sessions", {"mode": "anonymous_public"}).status_code
            for _ in range(40)
        ]
        assert openings == [201] * 39 + [429]
        sessions = [
            post("2", "sessions", {"hash": name * 64, "git_branch": "x" * 15_000}).status_code
            for name in "ab"
        ]
        assert sessions == [201, 429]
        opened = post("3", "registration-sessions", {"mode": "anonymous_public"}).json()
        place = f"registration-sessions/{opened['registration_session_id']}"
        secret = f"RegistrationSession {opened['registration_session_token']}"
        jobs = {"jobs": [job_body("1" * 32)]}
        assert post("3", f"{place}/jobs/batch", jobs, Authorization=secret).status_code == 201
        done = post("3", f"{place}/finalize", {}, Authorization=secret).json()
        label = {"entity_type": "dag", "session_hash": done["session_hash"]}
        taken = [
            post(
                "3",
                f"{place}/labels/batch",
                {"labels": [label | {"metadata": {"x": letter * 6_000}}]},
                Authorization=secret,
            )
            for letter in "abcd"
        ]
        assert [answer.status_code for answer in taken] == [200, 200, 200, 429]
        assert "without an account" in taken[3].json()["detail"]


def test_another_spelling_of_an_address_is_an_attempt_too() -> None:
    for path in ("/sign-in/", "//sign-in", "/api/v1/auth/device/start/"):
        assert is_attempt("POST", path), path
    assert counts_always("/api/v1//auth/device/start/")
    assert not is_attempt("POST", "/api/v1/auth/device/token/")


def test_all_of_very_many_labels_go_at_once(shared: Registry) -> None:
    """One by one this would hold up everybody who registers for minutes."""
    headers = headers_of_somebody(shared)
    mine = Mine(shared)
    mine.post("jobs/batch", {"jobs": [job_body(uuid4().hex)]})
    name = mine.post("finalize", {})["session_hash"]
    target = {"entity_type": "dag", "session_hash": name}
    document = {f"k{number}": 0 for number in range(60_000)} | {"a": {"b": 1}}
    mine.post("labels/batch", {"labels": [target | {"metadata": document}]})

    def reconcile(body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        sent = {"labels": [target | body], "prune": True}
        return shared.client.post("/api/v1/labels/reconcile", json=sent, headers=headers)

    assert reconcile({"metadata": {"kept": 1}}, headers).status_code == 403
    answer = reconcile({"metadata": {"kept": 1}}, mine.headers)
    assert answer.json()["deletedKeys"] == 60_001, answer.text
    told = shared.client.get("/api/v1/labels/current", params=target).json()
    assert told["metadata"] == {"kept": 1}


def test_exports_that_nobody_reads_leave_connections_to_others(shared: Registry) -> None:
    mine = Mine(shared)
    texts = json.dumps({"x": "y" * 1_000_000})
    for _ in range(12):
        mine.post("jobs/batch", {"jobs": [job_body(uuid4().hex, metadata=texts)]})
    mine.post("finalize", {})
    host, port = shared.client.base_url.host, shared.client.base_url.port or 80
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            waiting.connect((host, port))
            waiting.sendall(f"GET /api/v1/export HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert waiting.recv(9) == b"HTTP/1.1 "
        answer = shared.client.get("/api/v1/export")
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert "export" in answer.json()["detail"]
    # Those who left hold nothing any more.
    deadline = time.monotonic() + 30
    while (answer := shared.client.get("/api/v1/export")).status_code == 503:
        assert time.monotonic() < deadline
    assert json.loads(answer.text.splitlines()[-1])["kind"] == "end"


def test_a_secret_is_masked_wherever_a_name_may_stand(shared: Registry) -> None:
    slack, github = "xoxb-1-" + "s" * 12, "ghp_" + "a1" * 18
    opened, uid = shared.open(), uuid4().hex
    job = job_body(uid, job_type=slack, metadata=json.dumps({"env": {github: 1}}))
    opened.post("jobs/batch", {"jobs": [job]})
    name = opened.post("finalize", {})["session_hash"]
    label = {"entity_type": "dag", "session_hash": name, "metadata": {github: "x"}}
    opened.post("labels/batch", {"labels": [label | {"key_origins": {github: "user"}}]})
    told = shared.client.get("/api/v1/export").text
    assert uid in told
    assert slack not in told
    assert github not in told


def test_what_the_database_would_not_take_is_refused_before(registry: Registry) -> None:
    """PostgreSQL keeps 32 characters of a kind, and tells what it refused with the row itself."""
    opened = registry.open()
    for length, status in ((33, 400), (32, 201)):
        job = job_body("1" * 32, job_type="k" * length)
        answer = opened.answer("jobs/batch", {"jobs": [job]})
        assert answer.status_code == status, answer.text
    opened.post("finalize", {})


def test_the_error_of_a_copied_row_does_not_quote_it(registry: Registry) -> None:
    text = uuid4().hex
    with registry.database() as database, database.write() as connection:
        with pytest.raises(sa.exc.IntegrityError) as caught:
            insert_rows(connection, artifact, ("digest", "algorithm"), [(None, text)])
        connection.rollback()
    assert text not in "".join(traceback.format_exception(caught.value))


def test_an_algorithm_that_no_database_can_be_asked_for_is_refused(shared: Registry) -> None:
    digest = uuid4().hex * 2
    linked(shared, digest, "outputs")
    for path in (f"artifacts/{digest}/members/{digest}?", f"datasets?member={digest}&"):
        answer = shared.client.get(f"/api/v1/graph/{path}algorithm=%00")
        assert answer.status_code == 400, answer.text
        assert "algorithm" in answer.json()["detail"]


def test_a_secret_is_no_etag(shared: Registry) -> None:
    etag = {"algorithm": "etag", "digest": "ghp_" + "a1" * 18}
    hashes = [{"algorithm": "blake3", "digest": "a" * 64}, etag]
    answer = shared.open().answer("artifacts/batch", {"artifacts": [{"hashes": hashes}]})
    assert answer.status_code == 400
    assert etag["digest"] not in answer.text
