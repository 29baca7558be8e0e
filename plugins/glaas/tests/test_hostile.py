"""What somebody does who means harm and knows the protocol; on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from roar_glaas.access.people import add_person
from roar_glaas.access.tokens import issue_personal

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
        self._client, self._headers = registry.client, headers_of_somebody(registry)
        opened = self._client.post("/api/v1/registration-sessions", headers=self._headers)
        self._name = opened.json()["registration_session_id"]

    def post(self, path: str, body: Any) -> None:
        address = f"/api/v1/registration-sessions/{self._name}/{path}"
        answer = self._client.post(address, json=body, headers=self._headers)
        assert answer.is_success, answer.text


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
