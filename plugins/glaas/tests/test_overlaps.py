"""Work that is registered already, sent again: by the same client, by others, at the same time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest
from registrants import Person, job, somebody

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Opened, Registry


@pytest.fixture
def uids() -> list[str]:
    return [uuid.uuid4().hex for _ in range(3)]


def staged(registry: Registry, *uids: str) -> Opened:
    """A registration of jobs that read one artifact each."""
    opened = registry.open()
    opened.post("jobs/batch", {"jobs": [job(uid) for uid in uids]})
    for uid in uids:
        opened.post(f"jobs/{uid}/inputs", {"artifacts": [{"hash": uid * 2, "path": "/in"}]})
    return opened


@pytest.mark.parametrize("clients", [2, 5])
def test_of_clients_who_finalise_the_same_work_at_once_one_registers_it(
    shared: Registry, uids: list[str], clients: int
) -> None:
    answers: list[dict[str, Any]] = []
    opened = [staged(shared, *uids) for _ in range(clients)]
    expected = {"jobs": 3, "inputs": 3, "outputs": 0}
    together = threading.Barrier(clients)

    def finalise(one: Opened) -> None:
        together.wait()
        answers.append(one.post("finalize", {"expected": expected}))

    threads = [threading.Thread(target=finalise, args=(one,)) for one in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({told["session_hash"] for told in answers}) == 1
    assert sorted(told["created"] for told in answers) == [False] * (clients - 1) + [True]
    found = shared.client.get(f"/api/v1/sessions/{answers[0]['session_hash']}").json()
    assert sorted(one["jobUid"] for one in found["jobs"]) == sorted(uids)
    # Each of them may go on to label what came of it, and agrees with the others.
    name = answers[0]["session_hash"]
    label = {"entity_type": "dag", "session_hash": name, "metadata": {"a": 1}}
    counts = [one.post("labels/batch", {"labels": [label]})["created"] for one in opened]
    assert counts == [1] + [0] * (clients - 1)


def test_work_that_is_known_is_bound_and_answered_as_clients_expect(
    shared: Registry, uids: list[str]
) -> None:
    name = staged(shared, *uids).post("finalize", {})["session_hash"]
    again = shared.open()
    told = again.post("jobs/batch", {"jobs": [job(uid) for uid in uids]})
    assert told["already_registered_session_hashes"] == [name]
    assert (told["created_count"], told["existing_count"]) == (0, 0)
    assert (told["existing_binding_prepared"], told["errors"]) == (True, [None] * 3)
    assert again.post("finalize", {})["session_hash"] == name


def test_work_of_which_some_is_known_is_an_overlap(shared: Registry, uids: list[str]) -> None:
    name = staged(shared, uids[0]).post("finalize", {})["session_hash"]
    told = shared.open().post("jobs/batch", {"jobs": [job(uid) for uid in uids]})
    # Clients refuse when a session is named and the counts are not both 0 (protocol, 4.3).
    assert told["already_registered_session_hashes"] == [name]
    assert (told["created_count"], told["existing_binding_prepared"]) == (2, False)


def test_work_of_two_sessions_is_an_overlap(shared: Registry, uids: list[str]) -> None:
    names = [staged(shared, uid).post("finalize", {})["session_hash"] for uid in uids[:2]]
    again = shared.open()
    told = again.post("jobs/batch", {"jobs": [job(uid) for uid in uids[:2]]})
    assert told["already_registered_session_hashes"] == sorted(names)
    assert told["existing_binding_prepared"] is False
    assert again.answer("finalize", {}).status_code == 422  # nothing was staged


def test_a_put_of_known_work_is_a_session_of_its_own(shared: Registry, uids: list[str]) -> None:
    first = staged(shared, *uids[:2]).post("finalize", {})["session_hash"]
    put = uids[2]
    for attempt in range(2):
        opened = shared.open()
        opened.post("jobs/batch", {"jobs": [job(uid) for uid in uids[:2]]})
        opened.post("jobs", job(put, job_type="put", step_number=3))
        link = {"hash": uids[0] * 2, "path": "/in", "size": 3}
        opened.post(f"jobs/{put}/inputs", {"artifacts": [link]})
        wrong = opened.answer("finalize", {"expected": {"jobs": 1, "inputs": 1, "outputs": 0}})
        assert wrong.status_code == 422
        told = opened.post("finalize", {"expected": {"jobs": 3, "inputs": 3, "outputs": 0}})
        assert told["created"] is (attempt == 0)
        name = told["session_hash"]
        assert name != first
        label = {"entity_type": "job", "session_hash": name, "job_uid": put, "metadata": {"a": 1}}
        assert opened.post("labels/batch", {"labels": [label]})["created"] == (attempt == 0)
        (found,) = shared.client.get(f"/api/v1/sessions/{name}").json()["jobs"]
        assert (found["jobUid"], found["jobType"]) == (put, "put")
    assert len(shared.client.get(f"/api/v1/sessions/{first}").json()["jobs"]) == 2


@pytest.fixture
def person(shared: Registry) -> Person:
    return somebody(shared)


def test_somebody_puts_known_work(shared: Registry, person: Person, uids: list[str]) -> None:
    reads = uids[0] * 2
    work = [job(uid) for uid in uids[:2]]
    puts = [job(uuid.uuid4().hex, job_type="put", step_number=3) for _ in range(2)]
    # A session of the work and its put, then one of another put alone; each told again.
    names = []
    for put in puts:
        told = [person.register(*work, put, reads=reads).json() for _ in range(2)]
        assert [one["created"] for one in told] == [True, False]
        assert told[0]["session_hash"] == told[1]["session_hash"]
        names.append(told[0]["session_hash"])
    assert len(set(names)) == 2
    # Other work under the same uids is no known work.
    put = job(uuid.uuid4().hex, job_type="put", step_number=3)
    for other in ([work[0], work[1] | {"command": "y"}], [work[0], job(uids[2])]):
        assert person.register(*other, put, reads=reads).status_code == 409
    assert person.register(*work, put, reads=uids[2] * 2).status_code == 409
    # What is published takes along what it was made by.
    assert shared.client.get(f"/api/v1/sessions/{names[0]}").status_code == 404
    assert person.register(*work, put, reads=reads, private=False).status_code == 200
    assert shared.client.get(f"/api/v1/sessions/{names[0]}").status_code == 200
    assert shared.client.get(f"/api/v1/sessions/{names[1]}").status_code == 404


def test_labels_are_synced_by_whose_session_it_is(
    shared: Registry, person: Person, uids: list[str]
) -> None:
    told = person.register(job(uids[0]), reads=uids[0] * 2).json()
    label = {"entity_type": "dag", "session_hash": told["session_hash"], "metadata": {"a": 1}}
    counts = [person.post("labels/sync", {"labels": [label]}) for _ in range(2)]
    assert [(one["created"], one["unchanged"]) for one in counts] == [(1, 0), (0, 1)]
    # One that says what it was made of takes the place of nothing else.
    edit = label | {"metadata": {"a": 1, "tag": {"b": 2}}, "key_origins": {"tag.b": "system"}}
    for version, status in ((0, 409), (2, 409), (1, 200), (0, 200)):  # the last says the same
        told_version = {"labels": [edit | {"base_version": version}]}
        assert person.answer("labels/sync", told_version).status_code == status
    stranger = somebody(shared)
    for path in ("labels/sync", "labels/reconcile"):
        assert stranger.answer(path, {"labels": [label]}).status_code == 404
    person.register(job(uids[0]), reads=uids[0] * 2, private=False)
    for path in ("labels/sync", "labels/reconcile"):
        assert stranger.answer(path, {"labels": [label]}).status_code == 403


@pytest.fixture
def elsewhere(shared: Registry) -> Iterator[Registry]:
    """The same server, asked from another address."""
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=shared.url, timeout=30, transport=transport) as client:
        yield attrs.evolve(shared, client=client)


def test_who_knows_the_public_uids_cannot_change_the_labels(
    shared: Registry, elsewhere: Registry, uids: list[str]
) -> None:
    mine = staged(shared, *uids)
    name = mine.post("finalize", {})["session_hash"]
    label = {"entity_type": "dag", "session_hash": name, "metadata": {"by": "me"}}
    assert mine.post("labels/batch", {"labels": [label]})["created"] == 1
    stranger = elsewhere.open()
    stranger.post("jobs/batch", {"jobs": [job(uid) for uid in uids]})
    assert stranger.post("finalize", {})["session_hash"] == name
    assert stranger.post("labels/batch", {"labels": [label]})["noops"] == 1
    other = label | {"metadata": {"by": "a stranger"}}
    assert stranger.answer("labels/batch", {"labels": [other]}).status_code == 403
    again = shared.open()
    again.post("jobs/batch", {"jobs": [job(uid) for uid in uids]})
    again.post("finalize", {})
    assert again.post("labels/batch", {"labels": [other]})["updated"] == 1
