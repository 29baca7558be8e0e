"""Registering only what is new: what is known already, what may refer to it, and who was first."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from registrants import Person, job, somebody

from roar_glaas.access.caller import Role
from roar_glaas.access.people import add_person
from roar_glaas.access.projects import add_organization, add_project, grant
from roar_glaas.access.tokens import issue_personal

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

PRIVATE = {"owner_resolution": "current_user", "visibility": "private"}
OPEN = "registration-sessions"


@pytest.fixture
def uids() -> list[str]:
    return [uuid.uuid4().hex for _ in range(4)]


@pytest.fixture
def person(shared: Registry) -> Person:
    return somebody(shared)


def opened(person: Person, *jobs: dict[str, Any]) -> str:
    """A registration of jobs, each of which wrote a file of its own and read the one before it."""
    place = f"{OPEN}/{person.post(OPEN, {})['registration_session_id']}"
    person.post(f"{place}/jobs/batch", {"jobs": jobs})
    for one in jobs:
        uid = one["job_uid"]
        wrote = {"artifacts": [{"hash": uid * 2, "path": "/out"}]}
        person.post(f"{place}/jobs/{uid}/outputs", wrote)
        if "parent_job_uid" in one:
            read = {"artifacts": [{"hash": one["parent_job_uid"] * 2, "path": "/in"}]}
            person.post(f"{place}/jobs/{uid}/inputs", read)
    return place


def finalized(person: Person, place: str, **body: Any) -> str:
    return str(person.post(f"{place}/finalize", {"scope_request": PRIVATE} | body)["session_hash"])


def test_only_what_is_new_is_registered_and_refers_to_what_was(
    person: Person, uids: list[str]
) -> None:
    first, second = uids[:2]
    before = finalized(person, opened(person, job(first, job_hash="ab" * 32)))
    (known,) = person.post("jobs/known", {"job_uids": [second, first]})["known"]
    assert (known["job_uid"], known["job_hash"]) == (first, "ab" * 32)
    assert (known["session_hash"], known["visibility"]) == (before, "private")
    assert (known["is_own"], known["project_id"]) == (True, None)
    # The parent is not sent again, nor what it wrote.
    place = opened(person, job(second, parent_job_uid=first))
    expected = {"jobs": 1, "inputs": 1, "outputs": 1}
    after = finalized(person, place, expected=expected)
    assert after != before
    assert finalized(person, opened(person, job(second, parent_job_uid=first))) == after
    got = person.registry.client.get(
        f"/api/v1/graph/artifacts/{second * 2}/upstream",
        headers={"Authorization": f"Bearer {person.secret}"},
    ).json()
    assert [one["jobUid"] for one in got["jobs"]] == [second, first]
    label = {"session_hash": after, "metadata": {"stage": "draft"}, "entity_type": "artifact"}
    labels = [label | {"artifact_hash": uid * 2} for uid in uids[:2]]
    assert person.post(f"{place}/labels/batch", {"labels": labels})["created"] == 2
    told = person.registry.client.get(
        f"/api/v1/sessions/{after}", headers={"Authorization": f"Bearer {person.secret}"}
    ).json()
    assert [one["parentJobUid"] for one in told["jobs"]] == [first]


def test_a_parent_is_one_that_the_caller_may_see(
    shared: Registry, person: Person, uids: list[str]
) -> None:
    """Of two projects of one owner, who writes in one learns nothing of the other."""
    other = somebody(shared)
    with shared.database() as database, database.write() as connection:
        lab = add_organization(connection, f"lab-{uuid.uuid4().hex[:8]}")
        cats, dogs = (add_project(connection, lab, name) for name in ("cats", "dogs"))
        people = []
        for project in (cats, dogs):
            who = add_person(connection, f"p{uuid.uuid4().hex[:12]}")
            grant(connection, project, who, Role.WRITER)
            secret = issue_personal(connection, who.id, "for a test", days=1)
            people.append(Person(shared, secret))
    scopes = [{"project_id": one.public_id, "visibility": "private"} for one in (cats, dogs)]
    finalized(people[0], opened(people[0], job(uids[0])), scope_request=scopes[0])
    assert people[1].post("jobs/known", {"job_uids": uids})["known"] == []
    for writer, scope in ((people[1], scopes[1]), (other, PRIVATE)):
        place = opened(writer, job(uids[1], parent_job_uid=uids[0]))
        refused = writer.answer(f"{place}/finalize", {"scope_request": scope})
        assert refused.status_code == 422
        assert "parent that was not sent, nor is registered" in refused.json()["detail"]
    # The owner's other project holds a job of that uid: that it is taken, is all that is told.
    place = opened(people[1], job(uids[0], command="y"))
    refused = people[1].answer(f"{place}/finalize", {"scope_request": scopes[1]})
    assert (refused.status_code, refused.json()["overlaps"]) == (409, [])


def test_of_two_clients_with_overlapping_work_the_second_learns_what_to_leave_out(
    person: Person, uids: list[str]
) -> None:
    shared_work = [job(uid) for uid in uids[:2]]
    places = [opened(person, *shared_work, job(own)) for own in uids[2:]]
    assert person.post("jobs/known", {"job_uids": uids})["known"] == []
    together = threading.Barrier(2)
    answers: dict[str, Any] = {}

    def finalise(place: str) -> None:
        together.wait()
        answers[place] = person.answer(f"{place}/finalize", {"scope_request": PRIVATE})

    threads = [threading.Thread(target=finalise, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = (place for place in places if answers[place].status_code == 200)
    (lost,) = (place for place in places if place != won)
    name = answers[won].json()["session_hash"]
    refused = answers[lost].json()
    assert (answers[lost].status_code, refused["error"]) == (409, "overlap")
    assert refused["overlaps"] == [
        {"job_uid": uid, "session_hash": name} for uid in sorted(uids[:2])
    ]
    assert name[:12] in refused["detail"]
    # What was refused is still there, and is registered without what the other one sent.
    left_out = {one["job_uid"] for one in refused["overlaps"]}
    rest = [uid for uid in (*uids[:2], uids[2:][places.index(lost)]) if uid not in left_out]
    finalized(person, opened(person, *map(job, rest)))
    known = person.post("jobs/known", {"job_uids": uids})["known"]
    assert sorted(one["job_uid"] for one in known) == sorted(uids)


def test_a_put_that_known_work_started_is_registered_alone(person: Person, uids: list[str]) -> None:
    work, put = job(uids[0]), job(uids[1], job_type="put", parent_job_uid=uids[0])
    finalized(person, opened(person, work))
    name = finalized(person, opened(person, work, put))
    told = person.registry.client.get(
        f"/api/v1/sessions/{name}", headers={"Authorization": f"Bearer {person.secret}"}
    ).json()
    assert [(one["jobUid"], one["parentJobUid"]) for one in told["jobs"]] == [(uids[1], uids[0])]


def test_a_session_is_made_public_by_its_name_alone(person: Person, uids: list[str]) -> None:
    name = finalized(person, opened(person, *map(job, uids)))
    place = f"sessions/{name}/publish"
    assert person.registry.client.post(f"/api/v1/{place}").status_code == 401
    assert somebody(person.registry).answer(place, None).status_code == 404
    told = person.post(place, None)
    assert (told["session_hash"], told["visibility"]) == (name, "public")
    assert person.registry.client.get(f"/api/v1/graph/jobs/{uids[0]}").status_code == 200
    assert person.post(place, None) == told
    assert somebody(person.registry).answer(place, None).status_code == 403
    verified = person.registry.glaas("verify")
    assert verified.returncode == 0, verified.stdout


def test_what_cannot_be_asked_is_refused(refusing: Registry) -> None:
    for body, word in (
        ({"job_uids": ["zz"]}, "job_uids"),
        ({"job_uids": ["a" * 32] * 5001}, "5000"),
        ({"job_uids": "a" * 32}, "job_uids"),
        ({}, "job_uids"),
    ):
        answer = refusing.client.post("/api/v1/jobs/known", json=body)
        assert answer.status_code == 400, answer.text
        assert word in answer.json()["detail"]
    assert refusing.client.post("/api/v1/jobs/known", json={"job_uids": []}).json() == {"known": []}


def test_an_export_leaves_out_a_parent_that_is_not_seen(
    registry: Registry, elsewhere: str, tmp_path: Path, uids: list[str]
) -> None:
    person = somebody(registry)
    finalized(person, opened(person, job(uids[0], command="hush")))
    seen = opened(person, job(uids[1], parent_job_uid=uids[0]))
    person.post(f"{seen}/finalize", {})
    file = tmp_path / "export.ndjson"
    for flags, parent in ((["--public"], None), ([], uids[0])):
        assert registry.glaas("export", *flags, file).returncode == 0
        rows = [json.loads(line).get("row", {}) for line in file.read_text().splitlines()]
        (row,) = [one for one in rows if one.get("uid") == uids[1]]
        assert (row["parent_id"] and row["parent_id"][1]) == parent
        assert ("hush" in file.read_text()) == (parent is not None)
    assert registry.glaas("verify").returncode == 0
    assert registry.glaas("export", "--public", file).returncode == 0
    other = attrs.evolve(registry, database_url=elsewhere, data=tmp_path / "other")
    for words in (("import", file), ("verify",)):
        done = other.glaas(*words)
        assert done.returncode == 0, done.stdout + done.stderr
