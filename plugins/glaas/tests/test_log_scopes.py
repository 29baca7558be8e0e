"""Private records in the log: hidden from others over HTTP, and watched when they are published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
import pytest
import sqlalchemy as sa
from logged import meddling

from roar_glaas.access.people import add_person
from roar_glaas.access.tokens import issue_personal
from roar_glaas.audit.inside import audit_database
from roar_glaas.log.signing import Signer
from roar_glaas.log.withholding import withhold
from roar_glaas.storage.tables import session, withheld

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

MINE = {"owner_resolution": "current_user", "owner_type": "user", "visibility": "private"}


@attrs.frozen
class Ada:
    """A person who registered a job, to be seen by her alone."""

    registry: Registry
    headers: dict[str, str]
    uid: str
    session_hash: str

    def register(self, scope: dict[str, str]) -> str:
        """Register the job again, or for the first time; returns the session's hash."""

        def post(path: str, body: Any) -> Any:
            place = f"/api/v1/registration-sessions{path}"
            answer = self.registry.client.post(place, json=body, headers=self.headers)
            assert answer.is_success, answer.text
            return answer.json()

        name = post("", None)["registration_session_id"]
        job = {"command": "private work", "timestamp": 1.0, "job_uid": self.uid, "step_number": 1}
        post(f"/{name}/jobs/batch", {"jobs": [job]})
        return str(post(f"/{name}/finalize", {"scope_request": scope})["session_hash"])

    def entries(self, *, known: bool) -> list[dict[str, Any]]:
        answer = self.registry.client.get(
            "/api/v1/log/entries?limit=1000", headers=self.headers if known else {}
        )
        return [one for one in answer.json()["entries"] if self.is_hers(one)]

    def is_hers(self, entry: dict[str, Any]) -> bool:
        indexes = self.indexes()
        return entry["leafIndex"] in indexes

    def indexes(self) -> range:
        """The records of her session: of itself, and of its job."""
        with self.registry.database() as database, database.read() as connection:
            row = session.c.hash == bytes.fromhex(self.session_hash)
            first = connection.execute(sa.select(session.c.leaf_index).where(row)).scalar_one()
        return range(first, first + 2)

    def problems(self, connection: sa.Connection) -> list[str]:
        report = audit_database(connection, lambda done, total: None)
        return [found.message for found in report.findings.found]


@pytest.fixture
def ada(shared: Registry) -> Ada:
    with shared.database() as database, database.write() as connection:
        person = add_person(connection, f"ada-{uuid4().hex[:8]}")
        secret = issue_personal(connection, person.id, "for a test", days=1)
    found = Ada(shared, {"Authorization": f"Bearer {secret}"}, uuid4().hex, "")
    return attrs.evolve(found, session_hash=found.register(MINE))


def test_others_see_the_leaves_of_a_private_session_and_no_byte(ada: Ada) -> None:
    hers, others = ada.entries(known=True), ada.entries(known=False)
    assert [one["kind"] for one in hers] == ["session", "job"]
    assert "private work" in hers[1]["record"]
    hidden = dict.fromkeys(("kind", "atUs", "salt", "record", "withheld"))
    assert others == [{**one, **hidden} for one in hers]
    for index in ada.indexes():
        for path in (f"records/{index}", f"records/{index}/proof"):
            answer = ada.registry.client.get(f"/api/v1/log/{path}")
            assert (answer.status_code, answer.json()["record"]) == (200, None)
            answer = ada.registry.client.get(f"/api/v1/log/{path}", headers=ada.headers)
            assert answer.json()["record"]
        shown = ada.registry.client.get(f"/log/{index}")
        assert shown.status_code == 200
        assert "not for everybody to read" in shown.text
        assert not [text for text in ("private work", ada.uid) if text in shown.text]


def test_publishing_is_a_record_and_without_one_it_is_found(ada: Ada) -> None:
    row = session.c.hash == bytes.fromhex(ada.session_hash)
    with ada.registry.database() as database:
        connection = database.engine.connect()
        with connection:
            if not database.is_postgresql:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            # The guards let this pass, for the server does it; the log does not.
            connection.execute(sa.update(session).where(row).values(visibility="public"))
            (found,) = ada.problems(connection)
            connection.rollback()
        assert "and none says that it was published" in found
        assert ada.register(MINE | {"visibility": "public"}) == ada.session_hash
        assert [one["kind"] for one in ada.entries(known=False)] == ["session", "job"]
        with database.read() as reading:
            assert ada.problems(reading) == []


def test_a_session_in_other_hands_than_its_record_says_is_found(ada: Ada) -> None:
    row = session.c.hash == bytes.fromhex(ada.session_hash)
    with ada.registry.database() as database, meddling(database) as connection:
        connection.execute(sa.update(session).where(row).values(owner_id=0))
        found = ada.problems(connection)
    assert any(f"session {ada.session_hash[:12]}: owner is 'anonymous'" in one for one in found)


def test_why_a_private_record_is_withheld_is_told_to_all(ada: Ada) -> None:
    index = ada.indexes()[1]
    with ada.registry.database() as database:
        signer = Signer(ada.registry.data)
        database.seal = signer.seal
        with database.append() as connection:
            done = withhold(connection, signer, index, "it named a person")
        with database.read() as connection:
            assert ada.problems(connection) == []
            assert connection.execute(
                sa.select(withheld.c.record_index).where(withheld.c.leaf_index == index)
            ).scalar() == (done.record_index)
    for known in (True, False):
        (entry,) = [one for one in ada.entries(known=known) if one["leafIndex"] == index]
        assert (entry["record"], entry["withheld"]["reason"]) == (None, "it named a person")
    told = ada.registry.client.get(f"/api/v1/log/records/{done.record_index}").json()
    assert told["kind"] == "withheld"
    shown = ada.registry.client.get(f"/log/{index}").text
    assert "it named a person" in shown
    assert f'href="/log/{done.record_index}"' in shown
