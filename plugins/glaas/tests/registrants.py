"""Somebody with an account who registers work of their own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import attrs
import httpx

from roar_glaas.access.people import add_person
from roar_glaas.access.tokens import issue_personal

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


def job(uid: str, **more: Any) -> dict[str, Any]:
    return {"command": "x", "timestamp": 1.0, "job_uid": uid, "step_number": 1} | more


@attrs.frozen
class Person:
    """Somebody with an account."""

    registry: Registry
    secret: str

    def answer(self, path: str, body: Any) -> httpx.Response:
        return self.registry.client.post(
            f"/api/v1/{path}", json=body, headers={"Authorization": f"Bearer {self.secret}"}
        )

    def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.answer(path, body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def register(self, *jobs: dict[str, Any], reads: str, private: bool = True) -> httpx.Response:
        """Register jobs that read the same artifact each."""
        place = "registration-sessions"
        place += "/" + self.post(place, {})["registration_session_id"]
        self.post(f"{place}/jobs/batch", {"jobs": list(jobs)})
        for one in jobs:
            link = {"hash": reads, "path": "/in"}
            self.post(f"{place}/jobs/{one['job_uid']}/inputs", {"artifacts": [link]})
        scope = {"owner_resolution": "current_user", "visibility": "private"}
        return self.answer(f"{place}/finalize", {"scope_request": scope} if private else {})


def somebody(registry: Registry) -> Person:
    """Somebody new."""
    with registry.database() as database, database.write() as connection:
        found = add_person(connection, f"p{uuid.uuid4().hex[:12]}")
        return Person(registry, issue_personal(connection, found.id, "for a test", days=1))
