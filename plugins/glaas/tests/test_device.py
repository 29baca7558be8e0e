"""Logging in by a code that somebody approves (RFC 8628), on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from roar_glaas.access import device
from roar_glaas.access.people import Person, add_person, set_disabled
from roar_glaas.access.tokens import hash_of
from roar_glaas.errors import Conflict, NotFound
from roar_glaas.storage.tables import device_code

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def start(registry: Registry) -> dict[str, Any]:
    body = {"client_id": "roar-cli", "client_name": "roar-cli"}
    answer = registry.client.post("/api/v1/auth/device/start", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def poll(registry: Registry, code: str) -> httpx.Response:
    body = {"grant_type": GRANT, "device_code": code, "client_id": "roar-cli"}
    return registry.client.post("/api/v1/auth/device/token", json=body)


def somebody(registry: Registry) -> Person:
    with registry.database() as database, database.write() as connection:
        return add_person(connection, f"p{uuid4().hex[:12]}")


def test_a_client_is_let_in_once_when_its_code_is_approved(shared: Registry) -> None:
    started, person = start(shared), somebody(shared)
    assert (started["expires_in"], started["interval"]) == (600, 5)
    assert started["verification_uri"] == f"{shared.url}/device"
    pending = poll(shared, started["device_code"])
    assert (pending.status_code, pending.json()["error"]) == (400, "authorization_pending")
    with shared.database() as database, database.write() as connection:
        assert device.waiting(connection, started["user_code"])["client_name"] == "roar-cli"
        # People type it as they like.
        typed = started["user_code"].lower().replace("-", " ")
        device.approve(connection, typed, person.id)
        with pytest.raises(Conflict):
            device.deny(connection, started["user_code"])
    told = poll(shared, started["device_code"])
    assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
    pair = told.json()
    assert (pair["status"], pair["token_type"], pair["expires_in"]) == ("approved", "Bearer", 3600)
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    me = shared.client.get("/api/v1/auth/me", headers=headers).json()
    assert me["data"]["user"]["username"] == person.name
    assert poll(shared, started["device_code"]).json()["error"] == "expired_token"


def test_who_asks_too_often_is_told_to_slow_down(shared: Registry) -> None:
    code = start(shared)["device_code"]
    told = [poll(shared, code).json() for _ in range(3)]
    assert [one["error"] for one in told] == ["authorization_pending", "slow_down", "slow_down"]
    assert [one["interval"] for one in told] == [5, 10, 15]


def test_a_code_that_is_denied_or_expired_lets_nobody_in(shared: Registry) -> None:
    denied, late = start(shared), start(shared)
    person = somebody(shared)
    with shared.database() as database, database.write() as connection:
        device.deny(connection, denied["user_code"])
        connection.execute(
            sa.update(device_code)
            .where(device_code.c.hash == hash_of(late["device_code"]))
            .values(expires_at_us=1)
        )
        for code in (late["user_code"], "", "BBBB-BBBB"):
            with pytest.raises(NotFound):
                device.approve(connection, code, person.id)
    assert poll(shared, denied["device_code"]).json()["error"] == "access_denied"
    assert poll(shared, late["device_code"]).json()["error"] == "expired_token"
    assert poll(shared, "no such code").json()["error"] == "expired_token"


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("token", {"grant_type": "password", "device_code": "x"}, "grant_type"),
        ("token", {"grant_type": GRANT}, "device_code"),
        ("token", {"grant_type": GRANT, "device_code": 3}, "device_code"),
        ("start", {"client_name": "a\nb"}, "client_name"),
        ("start", {"client_name": "a\0"}, "client_name"),
        ("start", [], "object"),
    ],
)
def test_a_malformed_log_in_is_refused(refusing: Registry, path: str, body: Any, word: str) -> None:
    answer = refusing.client.post(f"/api/v1/auth/device/{path}", json=body)
    assert (answer.status_code, word in answer.json()["detail"]) == (400, True), answer.text


@pytest.mark.slow
def test_the_command_line_approves(refusing: Registry) -> None:
    started, person = start(refusing), somebody(refusing)
    approve = ("user", "approve", started["user_code"], "--user", person.name)
    with refusing.database() as database:
        with database.write() as connection:
            set_disabled(connection, person, True)
        refused = refusing.glaas(*approve)
        assert (refused.returncode, "is disabled" in refused.stderr) == (1, True)
        with database.write() as connection:
            set_disabled(connection, person, False)
    done = refusing.glaas(*approve)
    assert (done.returncode, f"let in as {person.name}" in done.stderr) == (0, True), done.stderr
    assert poll(refusing, started["device_code"]).status_code == 200
    again = refusing.glaas(*approve)
    assert (again.returncode, "answered already" in again.stderr) == (1, True)
