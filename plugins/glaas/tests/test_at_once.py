"""Credentials and registrations that several use at the very same moment, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from roar_glaas.access import device
from roar_glaas.access.people import Person, add_person
from roar_glaas.access.tokens import issue_pair, issue_personal

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

OPEN = "/api/v1/registration-sessions"
MINE = {"owner_resolution": "current_user", "visibility": "private"}
MANY = 6


def at_once(ask: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """What `MANY` who begin together are answered."""
    together = Barrier(MANY)

    def begin(number: int) -> httpx.Response:
        together.wait()
        return ask(number)

    with ThreadPoolExecutor(MANY) as threads:
        return list(threads.map(begin, range(MANY)))


@pytest.fixture
def ada(shared: Registry) -> Person:
    with shared.database() as database, database.write() as connection:
        return add_person(connection, f"ada-{uuid4().hex[:8]}")


@pytest.fixture
def headers(shared: Registry, ada: Person) -> dict[str, str]:
    with shared.database() as database, database.write() as connection:
        return {"Authorization": f"Bearer {issue_personal(connection, ada.id, '', days=1)}"}


def test_of_what_one_refresh_token_is_exchanged_for_at_once_one_goes_on(
    shared: Registry, ada: Person
) -> None:
    with shared.database() as database, database.write() as connection:
        pair = issue_pair(connection, ada.id, "roar")

    def exchange(secret: str) -> httpx.Response:
        return shared.client.post("/api/v1/auth/refresh", json={"refresh_token": secret})

    # A client that asks again for want of an answer is given one: which of them, it need not know.
    answers = at_once(lambda _: exchange(pair.refresh))
    assert Counter(answer.status_code for answer in answers) == {200: MANY}
    given = [answer.json()["refresh_token"] for answer in answers]
    assert len(set(given)) == MANY
    # All at once, with what each was given: they are many hands, and one goes first.
    later = at_once(lambda number: exchange(given[number]))
    assert Counter(answer.status_code for answer in later) == {200: 1, 401: MANY - 1}
    (won,) = [answer.json() for answer in later if answer.is_success]
    assert exchange(won["refresh_token"]).status_code == 401


def test_one_approved_code_lets_one_in(shared: Registry, ada: Person) -> None:
    started = shared.client.post("/api/v1/auth/device/start", json={}).json()
    with shared.database() as database, database.write() as connection:
        device.approve(connection, started["user_code"], ada.id)
    body = {"device_code": started["device_code"]}
    answers = at_once(lambda _: shared.client.post("/api/v1/auth/device/token", json=body))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: MANY - 1}


def test_one_client_session_is_opened_once(shared: Registry, headers: dict[str, str]) -> None:
    body = {"client_session_id": uuid4().hex}
    answers = at_once(lambda _: shared.client.post(OPEN, json=body, headers=headers))
    told = [answer.json() for answer in answers]
    assert len({one["registration_session_id"] for one in told}) == 1, told
    assert sum(one["created"] for one in told) == 1


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_the_same_work_finalised_at_once_is_one_session(
    shared: Registry, headers: dict[str, str], visibility: str
) -> None:
    job = {"command": "x", "timestamp": 1.0, "job_uid": uuid4().hex, "step_number": 1}
    places = []
    for _ in range(MANY):
        name = shared.client.post(OPEN, headers=headers).json()["registration_session_id"]
        places.append(f"{OPEN}/{name}")
        body: dict[str, Any] = {"jobs": [job]}
        assert shared.client.post(f"{places[-1]}/jobs/batch", json=body, headers=headers).is_success
    scope = {"scope_request": MINE | {"visibility": visibility}}
    answers = at_once(
        lambda n: shared.client.post(f"{places[n]}/finalize", json=scope, headers=headers)
    )
    assert {answer.status_code for answer in answers} == {200}
    told = [answer.json() for answer in answers]
    assert len({one["session_hash"] for one in told}) == 1
    assert sum(one["created"] for one in told) == 1


def test_one_name_is_given_once(shared: Registry) -> None:
    name = f"eve-{uuid4().hex[:8]}"

    def make(_: int) -> httpx.Response:
        from roar_glaas.errors import Conflict

        with shared.database() as database:
            try:
                with database.write() as connection:
                    add_person(connection, name, email=f"{name}@example.org")
            except Conflict:
                return httpx.Response(409)
        return httpx.Response(200)

    assert Counter(answer.status_code for answer in at_once(make)) == {200: 1, 409: MANY - 1}
