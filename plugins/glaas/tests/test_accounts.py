"""People, organisations, tokens: made by hand, and asked for over HTTP, on both databases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from roar_glaas.access import tokens
from roar_glaas.access.caller import Role
from roar_glaas.access.passwords import check_password, hash_password
from roar_glaas.access.people import Person, add_person, find_person, set_disabled
from roar_glaas.access.projects import add_organization, add_project, grant
from roar_glaas.access.tokens import GRACE_S, hash_of, issue_pair, issue_personal
from roar_glaas.errors import BadRequest, Conflict
from roar_glaas.storage.tables import metadata, token

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

PROBE = "/api/v1/sessions?limit=1"


def somebody(registry: Registry, **more: Any) -> Person:
    with registry.database() as database, database.write() as connection:
        return add_person(connection, f"p{uuid4().hex[:12]}", **more)


def personal(registry: Registry, person: Person, **more: Any) -> str:
    with registry.database() as database, database.write() as connection:
        return issue_personal(connection, person.id, "for a test", days=1, **more)


def ask(registry: Registry, path: str, secret: str) -> httpx.Response:
    return registry.client.get(path, headers={"Authorization": f"Bearer {secret}"})


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer x",
        "Bearer é\xff",
        "Basic YTpi",
        "x",
        "Bearer" + " x" * 2000,
    ],
)
def test_what_proves_nobody_is_refused(refusing: Registry, authorization: str | None) -> None:
    headers = {"Authorization": authorization.encode("latin-1")} if authorization else {}
    for path in (PROBE, "/api/v1/auth/me", "/api/v1/auth/access-context"):
        answer = refusing.client.get(path, headers=headers)
        assert (answer.status_code, "roar login" in answer.text) == (401, True), answer.text


def test_a_stale_token_reads_what_is_public(shared: Registry) -> None:
    output = uuid4().hex * 2
    shared.register(output=output, uid=uuid4().hex)
    stale = "Bearer glaas_of_last_year"
    for path, status in (("/api/v1/artifacts/", 401), ("/api/v1/public/artifacts/", 200)):
        answer = shared.client.get(path + output, headers={"Authorization": stale})
        assert answer.status_code == status, answer.text


def test_a_token_stands_for_somebody_until_it_is_revoked(shared: Registry) -> None:
    person = somebody(shared, email=f"{uuid4().hex}@Example.org")
    secret = personal(shared, person)
    me = ask(shared, "/api/v1/auth/me", secret).json()
    assert me["success"] is True
    assert me["data"]["creatorIdentity"] == f"glaas:user:{person.public_id}"
    assert me["data"]["user"]["email"] == person.email
    assert ask(shared, PROBE, secret).json() == {"sessions": []}
    with shared.database() as database, database.write() as connection:
        (told,) = tokens.all_tokens(connection, person)
        assert told["used_at"] is not None
        tokens.revoke(connection, told["id"])
    refused = ask(shared, PROBE, secret)
    assert (refused.status_code, "revoked" in refused.json()["detail"]) == (401, True)


def test_expired_tokens_and_disabled_people_are_refused(shared: Registry) -> None:
    person = somebody(shared)
    old, secret = (personal(shared, person) for _ in range(2))
    with shared.database() as database, database.write() as connection:
        connection.execute(
            sa.update(token).where(token.c.hash == hash_of(old)).values(expires_at_us=1)
        )
        set_disabled(connection, person, True)
    for given, word in ((old, "disabled"), (secret, "disabled")):
        assert word in ask(shared, PROBE, given).json()["detail"]
    with shared.database() as database, database.write() as connection:
        set_disabled(connection, person, False)
    assert "expired" in ask(shared, PROBE, old).json()["detail"]
    assert ask(shared, PROBE, secret).status_code == 200


def test_no_secret_is_kept(shared: Registry) -> None:
    password = "correct horse battery"
    person = somebody(shared, password_hash=hash_password(password))
    secrets = [personal(shared, person), password]
    with shared.database() as database, database.write() as connection:
        pair = issue_pair(connection, person.id, "roar")
        secrets += [pair.access, pair.refresh]
        rows = [
            repr([bytes(v) if isinstance(v, memoryview) else v for v in row])
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        ]
    assert len(rows) > 4
    assert [row for row in rows if any(secret in row for secret in secrets)] == []


def test_a_password_is_somebodys_until_they_are_disabled(shared: Registry) -> None:
    mail = f"{uuid4().hex}@example.org"
    person = somebody(shared, email=mail, password_hash=hash_password("correct horse"))
    with shared.database() as database, database.write() as connection:
        for name in (person.name, mail.upper()):
            assert check_password(connection, name, "correct horse") == person.id
            assert check_password(connection, name, "wrong horse x") is None
        for name in ("nobody", "", "a\0", "\ud800", "' OR 1=1 --"):
            assert check_password(connection, name, "correct horse") is None
        set_disabled(connection, person, True)
        assert check_password(connection, person.name, "correct horse") is None
    with pytest.raises(BadRequest, match="10 to"):
        hash_password("short")


def test_a_refresh_token_works_once_and_twice_ends_the_log_in(shared: Registry) -> None:
    person = somebody(shared)
    with shared.database() as database, database.write() as connection:
        first = issue_pair(connection, person.id, "roar")

    def refresh(secret: str) -> httpx.Response:
        return shared.client.post("/api/v1/auth/refresh", json={"refresh_token": secret})

    second = refresh(first.refresh)
    assert second.headers["cache-control"] == "no-store"
    told = second.json()
    assert told["access_context"]["user"]["username"] == person.name
    third = refresh(told["refresh_token"]).json()
    for secret in (first.access, told["access_token"], third["access_token"]):
        assert ask(shared, PROBE, secret).status_code == 200
    assert ask(shared, PROBE, third["refresh_token"]).status_code == 401
    stolen = refresh(first.refresh)
    assert (stolen.status_code, stolen.json()["error"]) == (401, "invalid_grant")
    assert ask(shared, PROBE, third["access_token"]).status_code == 401
    assert refresh(third["refresh_token"]).status_code == 401


def test_a_refresh_token_is_exchanged_again_for_some_seconds_alone(shared: Registry) -> None:
    person = somebody(shared)
    with shared.database() as database, database.write() as connection:
        first = issue_pair(connection, person.id, "roar")

    def refresh(secret: str) -> httpx.Response:
        return shared.client.post("/api/v1/auth/refresh", json={"refresh_token": secret})

    lost, kept = (refresh(first.refresh).json() for _ in range(2))
    for secret in (lost["access_token"], kept["access_token"]):
        assert ask(shared, PROBE, secret).status_code == 200
    with shared.database() as database, database.write() as connection:
        then = token.c.revoked_at_us - (GRACE_S + 1) * 1_000_000
        spent = token.c.hash == hash_of(first.refresh)
        connection.execute(sa.update(token).where(spent).values(revoked_at_us=then))
    assert refresh(first.refresh).status_code == 401
    for pair in (lost, kept):
        assert refresh(pair["refresh_token"]).status_code == 401
        assert ask(shared, PROBE, pair["access_token"]).status_code == 401


def test_logging_out_ends_the_log_in_and_no_personal_token(shared: Registry) -> None:
    person = somebody(shared)
    secret = personal(shared, person)
    with shared.database() as database, database.write() as connection:
        pair = issue_pair(connection, person.id, "roar")
    for given, is_over in ((pair.access, True), (secret, False)):
        answer = shared.client.post(
            "/api/v1/auth/logout", headers={"Authorization": f"Bearer {given}"}
        )
        assert answer.json() == {"logged_out": is_over}
        assert ask(shared, PROBE, given).status_code == (401 if is_over else 200)
    answer = shared.client.post("/api/v1/auth/refresh", json={"refresh_token": pair.refresh})
    assert answer.status_code == 401


def test_the_context_names_every_scope_one_may_choose(shared: Registry) -> None:
    person, other = somebody(shared), somebody(shared)
    with shared.database() as database, database.write() as connection:
        lab = add_organization(connection, f"lab{uuid4().hex[:8]}", "The Lab")
        cats = add_project(connection, lab, "cats", visibility="public")
        dogs = add_project(connection, lab, "dogs")
        grant(connection, lab, person, Role.READER)
        grant(connection, dogs, person, Role.WRITER)
        grant(connection, cats, other, Role.WRITER)
        grant(connection, cats, other, Role.READER)
    told = ask(shared, "/api/v1/user/access-context", personal(shared, person)).json()
    assert {one["username"]: one["type"] for one in told["owners"]} == {
        person.name: "user",
        lab.name: "organization",
    }
    assert told["projects_by_owner"][person.public_id] == []
    writable = {one["slug"]: one["can_write"] for one in told["projects_by_owner"][lab.public_id]}
    assert writable == {"cats": False, "dogs": True}
    told = ask(shared, "/api/v1/auth/access-context", personal(shared, other)).json()
    (only,) = told["projects_by_owner"][lab.public_id]
    assert (only["id"], only["visibility"], only["can_write"]) == (cats.public_id, "public", False)
    narrow = personal(shared, person, limited_to=dogs, is_read_only=True)
    told = ask(shared, "/api/v1/auth/access-context", narrow).json()
    (only,) = told["projects_by_owner"][lab.public_id]
    assert (only["slug"], only["can_write"]) == ("dogs", False)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a" * 65, "a/b", "a b", "é", "..", "a\n"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(refusing: Registry, name: str) -> None:
    with refusing.database() as database, database.read() as connection, pytest.raises(BadRequest):
        add_person(connection, name)


def test_names_and_addresses_belong_to_one(shared: Registry) -> None:
    person = somebody(shared, email=f"{uuid4().hex}@example.org")
    with shared.database() as database:
        for name, email in ((person.name, None), (f"q{uuid4().hex[:9]}", person.email)):
            with pytest.raises(Conflict), database.write() as connection:
                add_person(connection, name, email=email)
        with pytest.raises(Conflict), database.write() as connection:
            add_organization(connection, person.name)
        with pytest.raises(Conflict), database.write() as connection:
            add_organization(connection, "anonymous")


@pytest.mark.slow
def test_the_command_line_makes_people_and_tokens(refusing: Registry) -> None:
    name = f"ada{uuid4().hex[:8]}"
    made = refusing.glaas("user", "add", name, "--password", "--json", stdin="correct horse\n")
    assert (made.returncode, json.loads(made.stdout)["name"]) == (0, name), made.stderr
    with refusing.database() as database, database.read() as connection:
        assert check_password(connection, name, "correct horse") is not None
        assert find_person(connection, name).has_password
    other = refusing.glaas("user", "password", name, stdin="another horse\n")
    short = refusing.glaas("user", "password", name, stdin="short\n")
    assert (other.returncode, short.returncode) == (0, 1), other.stderr
    with refusing.database() as database, database.read() as connection:
        assert check_password(connection, name, "another horse") is not None
    again = refusing.glaas("user", "add", name)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "taken" in again.stderr
    made = refusing.glaas("token", "create", "--user", name, "--title", "nightly", "--json")
    secret = json.loads(made.stdout)["access_token"]
    assert ask(refusing, PROBE, secret).status_code == 200
    listed = refusing.glaas("token", "list", "--user", name, "--json")
    assert secret not in listed.stdout
    (told,) = json.loads(listed.stdout)["tokens"]
    assert (told["title"], told["state"]) == ("nightly", "valid")
    assert refusing.glaas("user", "disable", name).returncode == 0
    assert ask(refusing, PROBE, secret).status_code == 401
    assert refusing.glaas("user", "enable", name).returncode == 0
    assert refusing.glaas("token", "revoke", str(told["id"])).returncode == 0
    assert ask(refusing, PROBE, secret).status_code == 401
    table = refusing.glaas("token", "list", "--user", name).stdout
    assert table.splitlines()[1].split()[3:5] == ["nightly", "revoked"]


@pytest.mark.slow
def test_the_command_line_gives_roles(refusing: Registry) -> None:
    person = somebody(refusing)
    lab = f"lab{uuid4().hex[:8]}"
    assert refusing.glaas("org", "add", lab, "--display-name", "The Lab").returncode == 0
    made = refusing.glaas("project", "add", f"{lab}/cats", "--public", "--json")
    assert json.loads(made.stdout)["visibility"] == "public", made.stderr
    for words in (
        ("org", "grant", lab, person.name, "reader"),
        ("project", "grant", f"{lab}/cats", person.name, "writer"),
    ):
        done = refusing.glaas(*words)
        assert done.returncode == 0, done.stderr
    told = ask(refusing, "/api/v1/auth/access-context", personal(refusing, person)).json()
    assert [one["can_write"] for found in told["projects_by_owner"].values() for one in found] == [
        True
    ]
    assert refusing.glaas("org", "members", lab).stdout.split() == [
        *("NAME", "ROLE", person.name, "reader")
    ]
    assert refusing.glaas("project", "grant", f"{lab}/cats", person.name, "none").returncode == 0
    listed = refusing.glaas("project", "members", f"{lab}/cats", "--json").stdout
    assert json.loads(listed) == {"schema": 1, "type": "members", "members": []}
    for words in (
        ("project", "add", "nobody-at-all/cats"),
        ("project", "add", "cats"),
        ("project", "grant", f"{lab}/dogs", person.name, "reader"),
        ("org", "grant", person.name, person.name, "reader"),
        ("user", "key", "list", "nobody-at-all"),
        ("token", "revoke", "2000000000"),
    ):
        refused = refusing.glaas(*words)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
