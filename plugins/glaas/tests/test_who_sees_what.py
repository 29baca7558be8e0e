"""Two people, an organisation, private, project and public work: who sees what on the pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
import httpx
import pytest
from browsing import Visitor, signed_in, somebody, text_of, visitor

from roar_glaas.access.caller import Role
from roar_glaas.access.people import Person
from roar_glaas.access.projects import (
    Owner,
    Project,
    add_organization,
    add_project,
    grant,
    members_of,
)
from roar_glaas.access.seen import SESSIONS_A_PAGE
from roar_glaas.access.tokens import issue_personal
from roar_glaas.storage.tables import session

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

OPEN = "/api/v1/registration-sessions"


@attrs.frozen
class Work:
    """A session of one job: what it wrote, under which name and by which command."""

    output: str
    word: str
    session: str


@attrs.frozen
class World:
    """Ada works in the lab's project and has work of her own; Bob is somebody else."""

    registry: Registry
    ada: Person
    bob: Person
    lab: Owner
    dogs: Project
    cats: Project
    private: Work
    inside: Work
    public: Work

    @property
    def works(self) -> dict[str, Work]:
        return {"private": self.private, "inside": self.inside, "public": self.public}


def register(registry: Registry, secret: str, scope: dict[str, str]) -> Work:
    """Register one job by the API."""
    headers = {"Authorization": f"Bearer {secret}"}

    def post(path: str, body: Any) -> dict[str, Any]:
        answer = registry.client.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return dict(answer.json())

    uid, output, word = uuid4().hex, uuid4().hex * 2, f"w{uuid4().hex[:12]}"
    place = f"{OPEN}/{post(OPEN, {})['registration_session_id']}"
    job = {"command": f"python {word}.py", "timestamp": 1.0, "job_uid": uid, "step_number": 1}
    post(f"{place}/jobs/batch", {"jobs": [job]})
    written = {"artifacts": [{"hash": output, "path": f"/p/{word}.bin", "size": 7}]}
    post(f"{place}/jobs/{uid}/outputs", written)
    told = post(f"{place}/finalize", {"git_commit": "c" * 40, "scope_request": scope})
    return Work(output, word, told["session_hash"])


@pytest.fixture(scope="module")
def world(shared: Registry) -> World:
    ada, bob = somebody(shared), somebody(shared)
    with shared.database() as database, database.write() as connection:
        lab = add_organization(connection, f"lab{uuid4().hex[:8]}", "The Lab")
        dogs = add_project(connection, lab, "dogs", display_name="Secret dogs")
        cats = add_project(connection, lab, "cats", visibility="public")
        grant(connection, dogs, ada, Role.WRITER)
        secret = issue_personal(connection, ada.id, "a test", days=1)
    mine = {"owner_resolution": "current_user", "visibility": "private"}
    return World(
        *(shared, ada, bob, lab, dogs, cats),
        register(shared, secret, mine),
        register(shared, secret, {"project_id": dogs.public_id, "visibility": "private"}),
        register(shared, secret, mine | {"visibility": "public"}),
    )


def ways(person: Visitor, work: Work) -> set[str]:
    """In which ways somebody can read what is attached to a work."""
    name, where = f"{work.word}.", work.session[:12]
    pages = {
        "artifact": (f"/artifacts/{work.output}", name),
        "prefix": (f"/artifacts/{work.output[:12]}", name),
        "recipe": (f"/artifacts/{work.output}/recipe", name),
        "session": (f"/dag/{work.session}", name),
        "command": (f"/search?q={work.word}", where),
        "file": (f"/search?q={work.word}.bin", work.output),
        "latest": ("/", where),
    }
    found = set()
    for way, (path, sign) in pages.items():
        answer = person.client.get(path, follow_redirects=True)
        assert answer.status_code < 500, answer.text
        found |= {way} if sign in answer.text else set()
    return found


def test_what_is_attached_is_seen_by_whom_it_is_for(world: World) -> None:
    everyway = {"artifact", "prefix", "recipe", "session", "command", "file", "latest"}
    people = {
        "ada": signed_in(world.registry, world.ada),
        "bob": signed_in(world.registry, world.bob),
        "nobody": visitor(world.registry),
    }
    seen = {
        (who, name): ways(person, work)
        for who, person in people.items()
        for name, work in world.works.items()
    }
    for who in people:
        assert seen[who, "public"] == everyway, who
    for name in ("private", "inside"):
        assert seen["ada", name] == everyway, name
        assert seen["bob", name] == set(), name
        assert seen["nobody", name] == set(), name


def test_it_goes_with_the_role(world: World) -> None:
    late = somebody(world.registry)
    person = signed_in(world.registry, late)
    assert ways(person, world.inside) == set()
    for where in (world.dogs, world.lab):
        with world.registry.database() as database, database.write() as connection:
            grant(connection, where, late, Role.READER)
        assert "session" in ways(person, world.inside)
        assert ways(person, world.private) == set()
        with world.registry.database() as database, database.write() as connection:
            grant(connection, where, late, None)
        assert ways(person, world.inside) == set()


def alike(one: httpx.Response, other: httpx.Response, *names: str) -> None:
    texts = []
    for answer in (one, other):
        text = answer.text
        for name in names:
            text = text.replace(name, "NAME")
        texts.append((answer.status_code, text))
    assert texts[0] == texts[1]


def test_what_may_not_be_seen_is_told_as_what_does_not_exist(world: World) -> None:
    for person in (signed_in(world.registry, world.bob), visitor(world.registry)):
        pairs = [
            (f"/dag/{world.private.session}", f"/dag/{'0' * 64}"),
            (f"/artifacts/{world.private.output[:16]}", f"/artifacts/{'0' * 16}"),
            (f"/projects/{world.dogs.name}", f"/projects/{world.lab.name}/none"),
            (f"/projects/{world.dogs.name}", "/projects/nobody/none"),
            (f"/organizations/{world.ada.name}", "/organizations/nobody"),
        ]
        for hidden, missing in pairs:
            names = [path.rpartition("/")[2] for path in (hidden, missing)]
            alike(person.get(hidden), person.get(missing), *names)
    bob = signed_in(world.registry, world.bob)
    fields = {"name": world.bob.name, "role": "admin"}
    alike(
        bob.post(f"/projects/{world.dogs.name}/members", fields),
        bob.post("/projects/nobody/none/members", fields),
    )


def test_projects_are_listed_to_those_who_see_them(world: World) -> None:
    ada, bob = (signed_in(world.registry, one) for one in (world.ada, world.bob))
    for person, names in (
        (ada, {world.dogs.name, world.cats.name}),
        (bob, {world.cats.name}),
        (visitor(world.registry), {world.cats.name}),
    ):
        page = person.get("/projects").text
        listed = set(re.findall(rf'href="/projects/({world.lab.name}/[a-z]+)"', page))
        assert listed == names
        for project in (world.dogs, world.cats):
            status = person.get(f"/projects/{project.name}").status_code
            assert status == (200 if project.name in names else 404)
        assert person.get(f"/organizations/{world.lab.name}").status_code == 200
        assert ("Secret dogs" in person.get(f"/organizations/{world.lab.name}").text) == (
            person is ada
        )
    page = ada.get(f"/projects/{world.dogs.name}").text
    assert world.inside.session[:12] in page
    assert world.private.session[:12] not in page
    mine = ada.get("/my/sessions").text
    assert all(work.session[:12] in mine for work in world.works.values())
    assert bob.get("/my/sessions").text.count("/dag/") == 0


def test_names_of_members_are_for_members(world: World) -> None:
    ada, bob = (signed_in(world.registry, one) for one in (world.ada, world.bob))
    with world.registry.database() as database, database.write() as connection:
        grant(connection, world.cats, world.ada, Role.WRITER)
    path = f"/projects/{world.cats.name}"
    assert world.ada.name in ada.get(path).text.partition("<main")[2]
    assert world.ada.name not in bob.get(path).text
    assert "Add somebody" not in ada.get(path).text, "a writer says nothing of who works there"
    fields = {"name": world.bob.name, "role": "admin"}
    for person, status in ((ada, 403), (bob, 403)):
        assert person.post(f"{path}/members", fields).status_code == status
    with world.registry.database() as database, database.read() as connection:
        assert {one.name for one in members_of(connection, world.cats)} == {world.ada.name}


def test_an_admin_says_who_works_in_a_project(world: World) -> None:
    admin, other = somebody(world.registry), somebody(world.registry)
    with world.registry.database() as database, database.write() as connection:
        project = add_project(connection, world.lab, f"p{uuid4().hex[:8]}")
        grant(connection, project, admin, Role.ADMIN)
    person, path = signed_in(world.registry, admin), f"/projects/{project.name}/members"

    def roles() -> dict[str, Role]:
        with world.registry.database() as database, database.read() as connection:
            return dict(members_of(connection, project))

    add = {"name": other.name, "role": "reader", "add": "yes"}
    assert person.post(path, add).headers["location"].endswith("?done=changed#members")
    assert roles()[other.name] == Role.READER
    again = person.post(path, add)
    assert (again.status_code, "They are here already" in again.text) == (400, True)
    assert person.post(path, {"name": other.name, "role": "writer"}).status_code == 303
    assert roles()[other.name] == Role.WRITER
    for fields, error in (
        ({"name": "", "role": "reader"}, "Type the name of their account."),
        ({"name": "<i>nobody", "role": "reader"}, "Nobody here has this name."),
        ({"name": other.name, "role": "king"}, "A role is reader, writer or admin"),
        ({"name": world.lab.name, "role": "reader"}, "Nobody here has this name."),
    ):
        answer = person.post(path, fields)
        assert (answer.status_code, error in text_of(answer)) == (400, True)
        assert "<i>nobody" not in answer.text
    assert person.post(path, {"name": other.name, "remove": "yes"}).status_code == 303
    assert roles() == {admin.name: Role.ADMIN}


def test_an_organisation_keeps_one_admin(world: World) -> None:
    admin, other = somebody(world.registry), somebody(world.registry)
    with world.registry.database() as database, database.write() as connection:
        lab = add_organization(connection, f"lab{uuid4().hex[:8]}")
        grant(connection, lab, admin, Role.ADMIN)
    person, path = signed_in(world.registry, admin), f"/organizations/{lab.name}/members"
    assert person.post(path, {"name": other.name, "role": "admin"}).status_code == 303
    assert person.post(path, {"name": other.name, "role": "writer"}).status_code == 303
    for fields in ({"role": "reader"}, {"remove": "yes"}):
        answer = person.post(path, {"name": admin.name} | fields)
        assert (answer.status_code, "keeps one admin" in answer.text) == (400, True)
    stranger = signed_in(world.registry)
    assert stranger.post(path, {"name": other.name, "role": "admin"}).status_code == 404
    assert signed_in(world.registry, other).post(path, {}).status_code == 403


def test_sessions_come_in_pages_each_once(world: World) -> None:
    author = somebody(world.registry)
    hashes = [uuid4().bytes * 2 for _ in range(2 * SESSIONS_A_PAGE + 3)]
    with world.registry.database() as database, database.write() as connection:
        for number, digest in enumerate(hashes):
            values = {
                "hash": digest,
                "owner_id": author.id,
                "registered_by": author.id,
                "visibility": "private",
                "git_repo": "",
                "git_commit": "",
                "git_branch": "",
                "client_version": "",
                # Many at the very same moment.
                "registered_at_us": 1_700_000_000_000_000 + number // 40,
                "leaf_index": 10_000 + number,
            }
            connection.execute(session.insert(), values)
    person, path, found = signed_in(world.registry, author), "/my/sessions", []
    for _ in range(3):
        page = person.get(path).text
        found += re.findall(r'href="/dag/([0-9a-f]{64})"', page)
        links = re.findall(r'href="(/my/sessions\?before=[^"]+)"', page)
        path = links[-1] if links else ""
    assert path == ""
    assert found == [digest.hex() for digest in reversed(hashes)]
    for wrong in ("x", "1", "-1-2", "9" * 40, "1-9999999999999999999"):
        answer = person.client.get("/my/sessions", params={"before": wrong})
        assert answer.status_code == 400
