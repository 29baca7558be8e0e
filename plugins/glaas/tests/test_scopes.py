"""Who may register where, who sees it then, and the one way a scope changes; on both databases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
import httpx
import pytest
import sqlalchemy as sa

from roar_glaas.access.caller import Role
from roar_glaas.access.people import Person, add_person
from roar_glaas.access.projects import Owner, Project, add_organization, add_project, grant
from roar_glaas.access.tokens import issue_personal
from roar_glaas.storage.tables import leaf, record_bytes, registration, session

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

OPEN = "/api/v1/registration-sessions"
MINE = {"owner_resolution": "current_user", "owner_type": "user", "visibility": "private"}


@attrs.frozen
class Somebody:
    """A person with a token."""

    registry: Registry
    person: Person
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}

    def get(self, path: str) -> httpx.Response:
        return self.registry.client.get(path, headers=self.headers)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.registry.client.post(path, json=body, headers=self.headers)

    def stage(self, work: Work, body: Any = None) -> str:
        """The address of a registration that everything but `finalize` was said to."""
        opened = self.post(OPEN, body)
        assert opened.status_code == 201, opened.text
        place = f"{OPEN}/{opened.json()['registration_session_id']}"
        for path, sent in work.bodies():
            answer = self.post(f"{place}/{path}", sent)
            assert answer.status_code == 201, answer.text
        return place

    def register(self, work: Work, scope: Any = None, **more: Any) -> httpx.Response:
        body = {"git_commit": "c" * 40} | ({} if scope is None else {"scope_request": scope})
        return self.post(f"{self.stage(work)}/finalize", body | more)

    def sees(self, work: Work, name: str) -> set[str]:
        """In which ways something attached to this work can be read."""
        return ways_to_see(self.registry, work, name, self.headers)


@attrs.frozen
class Work:
    """One job with an input and an output, unlike any other."""

    uid: str = attrs.field(factory=lambda: uuid4().hex)
    output: str = attrs.field(factory=lambda: uuid4().hex * 2)
    command: str = "python train.py"

    def bodies(self) -> list[tuple[str, Any]]:
        job = {"command": self.command, "timestamp": 1.0, "job_uid": self.uid, "step_number": 1}
        path = f"/home/ada/{self.uid}"
        return [
            ("jobs/batch", {"jobs": [job]}),
            (f"jobs/{self.uid}/outputs", {"artifacts": [{"hash": self.output, "path": path}]}),
            (
                "artifacts/batch",
                {"artifacts": [{"hashes": [{"algorithm": "blake3", "digest": self.output}]}]},
            ),
        ]


def ways_to_see(
    registry: Registry, work: Work, name: str, headers: dict[str, str] | None = None
) -> set[str]:
    def get(path: str) -> httpx.Response:
        return registry.client.get(path, headers=headers)

    seen = set()
    if get(f"/api/v1/artifacts/{work.output[:12]}").status_code == 200:
        seen.add("prefix")
    whole = get(f"/api/v1/artifacts/{work.output}")
    # That it is registered is told to all who know the digest.
    assert whole.status_code == 200
    if whole.json()["originalSessionHash"]:
        seen.add("artifact")
    for part in ("lineage", "dag"):
        if work.command in get(f"/api/v1/artifacts/{work.output}/{part}").text:
            seen.add(part)
    for path in (f"/api/v1/sessions/{name}", f"/api/v1/public/sessions/{name}/reproduction"):
        if get(path).status_code == 200:
            seen.add("session")
    for path in (f"/artifacts/{work.output}", f"/dag/{name}"):
        if work.command in get(path).text:
            seen.add("page")
    return seen


ALL = {"prefix", "artifact", "lineage", "dag", "session", "page"}


@attrs.frozen
class Cast:
    """Everybody there is, and where they work."""

    registry: Registry
    lab: Owner
    cats: Project
    dogs: Project
    people: dict[str, Somebody]

    def __getitem__(self, name: str) -> Somebody:
        return self.people[name]

    def scope(self, of: Project | None = None, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"owner_id": self.lab.public_id, "owner_type": "organization"}
        if of is not None:
            found["project_id"] = of.public_id
        return found | more


@pytest.fixture(scope="module")
def cast(shared: Registry) -> Cast:
    """A lab with two projects: cats is private, dogs public by default."""
    people: dict[str, Somebody] = {}
    with shared.database() as database, database.write() as connection:

        def make(name: str, **more: Any) -> Person:
            person = add_person(connection, f"{name}-{uuid4().hex[:8]}")
            secret = issue_personal(connection, person.id, name, days=1, **more)
            people[name] = Somebody(shared, person, secret)
            return person

        lab = add_organization(connection, f"lab-{uuid4().hex[:8]}")
        cats = add_project(connection, lab, "cats")
        dogs = add_project(connection, lab, "dogs", visibility="public")
        for name, where, role in (
            ("admin", lab, Role.ADMIN),
            ("writer", lab, Role.WRITER),
            ("reader", lab, Role.READER),
            ("cats-writer", cats, Role.WRITER),
            ("cats-reader", cats, Role.READER),
            ("dogs-writer", dogs, Role.WRITER),
        ):
            grant(connection, where, make(name), role)
        make("stranger")
        admin = people["admin"].person
        for name, more in (
            ("token-read-only", {"is_read_only": True}),
            ("token-of-cats", {"limited_to": cats}),
        ):
            secret = issue_personal(connection, admin.id, name, days=1, **more)
            people[name] = Somebody(shared, admin, secret)
    return Cast(shared, lab, cats, dogs, people)


# Who may register to the project cats, and who sees it then.
IN_CATS = {
    "admin": (200, ALL),
    "writer": (200, ALL),
    "reader": (403, ALL),
    "cats-writer": (200, ALL),
    "cats-reader": (403, ALL),
    "dogs-writer": (403, set()),
    "stranger": (403, set()),
    "token-read-only": (403, ALL),
    "token-of-cats": (200, ALL),
}


@pytest.mark.parametrize("who", IN_CATS)
def test_a_private_project_is_its_members(cast: Cast, who: str) -> None:
    status, seen = IN_CATS[who]
    work = Work()
    name = cast["cats-writer"].register(work, cast.scope(cast.cats)).json()["session_hash"]
    assert cast[who].sees(work, name) == seen
    again = cast[who].post(OPEN)
    if again.status_code == 201:
        answer = cast[who].register(Work(), cast.scope(cast.cats, visibility="private"))
        assert answer.status_code == status, answer.text
    else:
        assert (again.status_code, status) == (403, 403), again.text


@pytest.mark.parametrize(
    ("who", "status"),
    [("admin", 200), ("writer", 200), ("reader", 403), ("cats-writer", 403), ("stranger", 403)],
)
def test_what_an_organisation_has_outside_projects_is_its_peoples(
    cast: Cast, who: str, status: int
) -> None:
    work = Work()
    name = cast["writer"].register(work, cast.scope()).json()["session_hash"]
    seen = set() if who in ("cats-writer", "stranger") else ALL
    assert cast[who].sees(work, name) == seen
    if cast[who].post(OPEN).status_code == 201:
        assert cast[who].register(Work(), cast.scope()).status_code == status


def test_what_is_private_is_its_owners_alone(cast: Cast) -> None:
    work = Work()
    told = cast["stranger"].register(work, MINE).json()
    name = told["session_hash"]
    assert (told["mode"], told["created"]) == ("authenticated", True)
    assert cast["stranger"].sees(work, name) == ALL
    for who in ("admin", "cats-writer", "token-of-cats"):
        assert cast[who].sees(work, name) == set()
    assert ways_to_see(cast.registry, work, name) == set()
    (newest,) = cast["stranger"].get("/api/v1/sessions?limit=1").json()["sessions"]
    assert (newest["hash"], newest["visibility"]) == (name, "private")
    # What may not be seen is told exactly as what does not exist.
    missing = cast["admin"].get(f"/api/v1/sessions/{'0' * 64}")
    hidden = cast["admin"].get(f"/api/v1/sessions/{name}")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace(name, "0" * 64) == missing.text


def test_no_scope_means_public_and_ones_own(cast: Cast) -> None:
    work = Work()
    name = cast["stranger"].register(work).json()["session_hash"]
    assert ways_to_see(cast.registry, work, name) == ALL
    (newest,) = cast["stranger"].get("/api/v1/sessions?limit=1").json()["sessions"]
    person = cast["stranger"].person
    assert (newest["hash"], newest["owner"], newest["project"]) == (name, person.name, None)


def test_a_project_says_what_its_work_is_unless_asked(cast: Cast) -> None:
    for of, more, is_public in (
        (cast.dogs, {}, True),
        (cast.dogs, {"visibility": "private"}, False),
        (cast.cats, {}, False),
        (cast.cats, {"visibility": "public"}, True),
    ):
        work = Work()
        name = cast["writer"].register(work, cast.scope(of, **more)).json()["session_hash"]
        assert ways_to_see(cast.registry, work, name) == (ALL if is_public else set())


def test_the_same_work_of_two_owners_is_two_sessions(cast: Cast) -> None:
    work = Work()
    names = [
        cast["writer"].register(work, MINE).json()["session_hash"],
        cast["stranger"].register(work, MINE).json()["session_hash"],
        cast["writer"].register(work, cast.scope(cast.cats)).json()["session_hash"],
        cast.registry.register(uid=work.uid, output=work.output),
    ]
    assert len(set(names)) == 4
    assert cast["stranger"].sees(work, names[0]) >= {"artifact"}
    assert cast["stranger"].get(f"/api/v1/sessions/{names[0]}").status_code == 404


def test_registered_again_it_is_the_same_session(cast: Cast) -> None:
    work = Work()
    first = cast["cats-writer"].register(work, cast.scope(cast.cats)).json()
    again = cast["admin"].register(work, cast.scope(cast.cats), git_repo="x").json()
    assert again["session_hash"] == first["session_hash"]
    assert (first["created"], again["created"]) == (True, False)
    changed = attrs.evolve(work, command="python other.py")
    refused = cast["admin"].register(changed, cast.scope(cast.cats))
    assert refused.status_code == 409
    assert first["session_hash"][:12] in refused.json()["detail"]
    # The session of the conflict is named to those who see it.
    refused = cast["dogs-writer"].register(changed, cast.scope(cast.dogs))
    assert refused.status_code == 409
    assert first["session_hash"][:12] not in refused.json()["detail"]
    elsewhere = cast["admin"].register(work, cast.scope(cast.dogs))
    assert (elsewhere.status_code, "stays where" in elsewhere.json()["detail"]) == (409, True)


def test_what_is_private_can_become_public_and_never_private_again(cast: Cast) -> None:
    work = Work()
    name = cast["cats-writer"].register(work, cast.scope(cast.cats)).json()["session_hash"]
    wider = cast.scope(cast.cats, visibility="public")
    assert cast["stranger"].register(work, wider).status_code == 403
    assert cast["cats-reader"].post(OPEN).status_code == 201  # for work of their own
    assert cast["cats-reader"].register(work, wider).status_code == 403
    assert ways_to_see(cast.registry, work, name) == set()
    for _ in range(2):
        told = cast["writer"].register(work, wider).json()
        assert (told["session_hash"], told["created"]) == (name, False)
    assert ways_to_see(cast.registry, work, name) == ALL
    refused = cast["admin"].register(work, cast.scope(cast.cats))
    assert (refused.status_code, "taken back" in refused.json()["detail"]) == (409, True)
    assert ways_to_see(cast.registry, work, name) == ALL
    with cast.registry.database() as database, database.read() as connection:
        kept = connection.execute(
            sa.select(record_bytes.c.bytes)
            .join(leaf, leaf.c.index == record_bytes.c.leaf_index)
            .where(leaf.c.kind == "scope")
            .order_by(leaf.c.index.desc())
        ).scalars()
        told = [one for one in map(json.loads, map(bytes, kept)) if one["session"] == name]
    by = cast["writer"].person.public_id
    assert told == [{"kind": "scope", "v": 1, "session": name, "visibility": "public", "by": by}]


def test_a_receipt_changes_no_scope(cast: Cast) -> None:
    work, called = Work(), {"client_session_id": f"roar-delegated-v2-{uuid4().hex}"}
    place = cast["stranger"].stage(work, called)
    told = cast["stranger"].post(f"{place}/finalize", {"scope_request": MINE}).json()
    name = told["session_hash"]
    again = cast["stranger"].post(OPEN, called).json()
    assert (again["status"], again["created"]) == ("closed", False)
    assert f"{OPEN}/{again['registration_session_id']}" == place
    receipt = cast["stranger"].post(f"{place}/finalize", {})
    assert receipt.json()["session_hash"] == name
    assert ways_to_see(cast.registry, work, name) == set()
    public = MINE | {"visibility": "public"}
    assert cast["stranger"].post(f"{place}/finalize", {"scope_request": public}).is_success
    assert ways_to_see(cast.registry, work, name) == ALL


def test_a_delegated_registration_is_opened_once_for_each_owner(cast: Cast) -> None:
    called = {"client_session_id": uuid4().hex}
    first, again = (cast["stranger"].post(OPEN, called).json() for _ in range(2))
    assert first["registration_session_id"] == again["registration_session_id"]
    assert (again["status"], again["created"]) == ("open", False)
    other = cast["writer"].post(OPEN, called).json()
    assert other["registration_session_id"] != first["registration_session_id"]
    with cast.registry.database() as database, database.write() as connection:
        connection.execute(
            sa.update(registration)
            .where(registration.c.public_id == first["registration_session_id"])
            .values(expires_at_us=1)
        )
    later = cast["stranger"].post(OPEN, called).json()
    assert later["registration_session_id"] != first["registration_session_id"]


def test_a_registration_is_its_owners(cast: Cast) -> None:
    place = cast["writer"].stage(Work())
    for path in ("jobs/batch", "finalize", "labels/batch"):
        body: dict[str, Any] = {"jobs": [], "labels": []} if path != "finalize" else {}
        client = cast.registry.client
        assert cast["stranger"].post(f"{place}/{path}", body).status_code in (400, 404)
        assert client.post(f"{place}/{path}", json=body).status_code in (400, 401)
        headers = {"Authorization": "RegistrationSession x"}
        assert client.post(f"{place}/{path}", json=body, headers=headers).status_code in (400, 401)
    assert cast["stranger"].post(f"{place}/finalize", {}).status_code == 404
    assert cast["writer"].post(f"{place}/finalize", {}).is_success


def test_labels_go_to_who_may_still_write(cast: Cast) -> None:
    work = Work()
    with cast.registry.database() as database, database.write() as connection:
        person = add_person(connection, f"leaver-{uuid4().hex[:8]}")
        grant(connection, cast.cats, person, Role.WRITER)
        secret = issue_personal(connection, person.id, "", days=1)
    leaver = Somebody(cast.registry, person, secret)
    place = leaver.stage(work)
    scope = {"scope_request": cast.scope(cast.cats)}
    name = leaver.post(f"{place}/finalize", scope).json()["session_hash"]
    label = {"entity_type": "dag", "session_hash": name, "metadata": {"a": 1}}
    assert leaver.post(f"{place}/labels/batch", {"labels": [label]}).json()["created"] == 1
    with cast.registry.database() as database, database.write() as connection:
        grant(connection, cast.cats, person, None)
    changed = label | {"metadata": {"a": 2}}
    assert leaver.post(f"{place}/labels/batch", {"labels": [changed]}).status_code == 403
    assert leaver.sees(work, name) == set()


def test_a_scope_that_is_not_ones_own_is_told_like_one_that_is_not(cast: Cast) -> None:
    for real, unreal in (
        (cast.scope(cast.cats), cast.scope(cast.cats) | {"project_id": str(uuid4())}),
        (cast.scope(cast.cats), cast.scope(cast.cats) | {"owner_id": str(uuid4())}),
        (cast.scope(), {"owner_id": str(uuid4())}),
    ):
        told = [cast["stranger"].register(Work(), scope) for scope in (real, unreal)]
        assert [answer.status_code for answer in told] == [403, 403]
        assert told[0].text == told[1].text


@pytest.mark.parametrize(
    ("scope", "status", "word"),
    [
        ({}, 400, "scope_request"),
        ({"visibility": "secret"}, 400, "scope_request.visibility"),
        ({"owner_resolution": "somebody"}, 400, "owner_resolution"),
        ({"owner_resolution": "current_user", "owner_type": "organization"}, 400, "owner_type"),
        ({"owner_id": 3}, 400, "owner_id"),
        ({"owner_id": "anonymous"}, 403, "owner"),
        ({"owner_id": "x\0"}, 400, "scope_request"),
        ({"project_id": "' OR 1=1 --"}, 403, "project"),
        ([], 400, "scope_request"),
    ],
)
def test_a_malformed_scope_is_refused(cast: Cast, scope: Any, status: int, word: str) -> None:
    answer = cast["stranger"].register(Work(), scope)
    assert (answer.status_code, word in answer.json()["detail"]) == (status, True), answer.text


def test_nobody_known_registers_nothing_private(cast: Cast) -> None:
    opened = cast.registry.open()
    opened.post("jobs/batch", Work().bodies()[0][1])
    for scope in (MINE, cast.scope(cast.dogs), {"owner_id": "anonymous"}):
        assert opened.answer("finalize", {"scope_request": scope}).status_code == 403
    assert opened.post("finalize", {"scope_request": {"visibility": "public"}})["created"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"mode": "anonymous_public"}, 400),
        ({"mode": "private"}, 400),
        ({"client_session_id": ""}, 400),
        ({"client_session_id": "x" * 129}, 400),
        ({"client_session_id": "a\0b"}, 400),
        ({"client_session_id": 3}, 400),
        ({}, 201),
        (None, 201),
    ],
)
def test_opening_says_who_registers(cast: Cast, body: Any, status: int) -> None:
    answer = cast["stranger"].post(OPEN, body)
    assert answer.status_code == status, answer.text
    if status == 201:
        assert answer.json()["registration_session_token"] is None


def test_anybody_can_name_no_registration_of_another(cast: Cast) -> None:
    body = {"mode": "anonymous_public", "client_session_id": uuid4().hex}
    assert cast.registry.client.post(OPEN, json=body).status_code == 400


def test_the_database_refuses_every_other_change_of_a_session(cast: Cast) -> None:
    work = Work()
    name = cast["stranger"].register(work, MINE).json()["session_hash"]
    this = session.c.hash == bytes.fromhex(name)
    changes = [
        {"visibility": "private"},
        {"visibility": "x"},
        {"git_repo": "y"},
        {"visibility": "public", "git_repo": "y"},
        {"visibility": "public", "project_id": cast.cats.id},
        {"visibility": "public", "owner_id": cast.lab.id},
        {"visibility": "public", "registered_by": None},
    ]
    with cast.registry.database() as database:
        for values in changes:
            with (
                pytest.raises(sa.exc.DBAPIError, match="never changed"),
                database.append() as connection,
            ):
                connection.execute(sa.update(session).where(this).values(**values))
        with database.append() as connection:
            connection.execute(sa.update(session).where(this).values(visibility="public"))
        for value in ("private", "public"):
            with (
                pytest.raises(sa.exc.DBAPIError, match="never changed"),
                database.append() as connection,
            ):
                connection.execute(sa.update(session).where(this).values(visibility=value))
