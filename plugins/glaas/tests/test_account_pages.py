"""The pages of accounts: tokens, keys, programs let in; and what hostile texts do there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from browsing import PASSWORD, Visitor, signed_in, somebody, text_of, visitor

from roar_glaas.access import ssh, tokens
from roar_glaas.access.caller import Role
from roar_glaas.access.projects import add_organization, add_project, grant

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}&amp;<b>"


def who(registry: Registry, secret: str) -> int:
    headers = {"Authorization": f"Bearer {secret}"}
    return registry.client.get("/api/v1/auth/me", headers=headers).status_code


def secret_on(page: str) -> str:
    found = re.search(r'id="secret">(glaas_[^<]+)<', page)
    assert found, page
    return found[1]


def waiting_client(registry: Registry, name: str = "roar-cli") -> dict[str, Any]:
    body = {"client_id": "roar-cli", "client_name": name}
    answer = registry.client.post("/api/v1/auth/device/start", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def poll(registry: Registry, started: dict[str, Any]) -> dict[str, Any]:
    body = {"device_code": started["device_code"], "client_id": "roar-cli"}
    return dict(registry.client.post("/api/v1/auth/device/token", json=body).json())


def test_a_token_is_shown_once_works_and_is_revoked(shared: Registry) -> None:
    person = somebody(shared)
    ada = signed_in(shared, person)
    made = ada.post("/account/tokens", {"title": HOSTILE, "days": "30"})
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    assert HOSTILE in text_of(made)
    assert "<script" not in made.text.replace("<script src=", "")
    secret = secret_on(made.text)
    assert who(shared, secret) == 200
    page = ada.get("/account")
    assert secret not in page.text
    [path] = re.findall(r'action="(/account/tokens/\d+/revoke)"', page.text)
    assert signed_in(shared).post(path).status_code == 404
    assert who(shared, secret) == 200
    assert ada.post(path).headers["location"] == "/account?done=revoked#tokens"
    assert who(shared, secret) == 401
    assert "The token is revoked." in text_of(ada.get("/account?done=revoked"))
    assert "<i>" not in ada.get("/account?done=<i>").text


def test_a_token_opens_what_the_form_says(shared: Registry) -> None:
    person = somebody(shared)
    with shared.database() as database, database.write() as connection:
        lab = add_organization(connection, f"lab{uuid4().hex[:8]}")
        cats, dogs = (add_project(connection, lab, slug) for slug in ("cats", "dogs"))
        grant(connection, cats, person, Role.WRITER)
    ada = signed_in(shared, person)
    fields = {"title": "nightly", "days": "7", "project": cats.name, "read_only": "yes"}
    secret = secret_on(ada.post("/account/tokens", fields).text)
    told = shared.client.get(
        "/api/v1/auth/access-context", headers={"Authorization": f"Bearer {secret}"}
    ).json()
    (only,) = told["projects_by_owner"][lab.public_id]
    assert (only["slug"], only["can_write"]) == ("cats", False)
    assert "cats, to read" in text_of(ada.get("/account"))
    refused = ada.post("/account/tokens", fields | {"project": dogs.name})
    assert (refused.status_code, "Choose one of your projects" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"days": "30"}, "Say what the token is for."),
        ({"title": "x", "days": "99999"}, "Choose how long it lasts."),
        ({"title": "x", "days": "-1"}, "Choose how long it lasts."),
        ({"title": "x" * 201, "days": "7"}, "at most 200 characters"),
        ({"title": "a\nb", "days": "7"}, "one line"),
        ({"title": "x", "days": "7", "project": "no/such"}, "Choose one of your projects."),
    ],
)
def test_what_is_wrong_with_a_token_stands_at_its_field(
    shared: Registry, fields: dict[str, str], error: str
) -> None:
    person = somebody(shared)
    answer = signed_in(shared, person).post("/account/tokens", fields)
    assert (answer.status_code, error in text_of(answer)) == (400, True)
    assert 'aria-invalid="true"' in answer.text
    with shared.database() as database, database.read() as connection:
        assert tokens.all_tokens(connection, person) == []


def test_half_a_character_is_refused(shared: Registry) -> None:
    answer = signed_in(shared).post("/account/tokens", {"title": "a\0b", "days": "7"})
    assert 400 <= answer.status_code < 500


def test_a_key_is_added_shown_and_removed(shared: Registry, tmp_path: Path) -> None:
    person = somebody(shared)
    ada, file = signed_in(shared, person), tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", HOSTILE, "-f", file]
    subprocess.run(command, check=True)
    line = file.with_suffix(".pub").read_text()
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True
    )
    fingerprint = listed.stdout.split()[1]
    assert ada.post("/account/keys", {"key": line}).headers["location"].endswith("#keys")
    page = ada.get("/account")
    assert fingerprint in page.text
    assert HOSTILE in text_of(page)
    assert "<script>" not in page.text
    for other in (ada, signed_in(shared)):
        again = other.post("/account/keys", {"key": line})
        assert (again.status_code, "registered already" in text_of(again)) == (400, True)
    secret_half = ada.post("/account/keys", {"key": file.read_text()})
    assert (secret_half.status_code, "This is the private half" in text_of(secret_half)) == (
        400,
        True,
    )
    assert "PRIVATE KEY" not in secret_half.text, "it is not sent back either"
    nonsense = ada.post("/account/keys", {"key": "ssh-rsa </textarea><i>"})
    assert (nonsense.status_code, "no public SSH key" in text_of(nonsense)) == (400, True)
    assert "<i>" not in nonsense.text
    stranger = signed_in(shared)
    fields = {"fingerprint": fingerprint}
    assert stranger.post("/account/keys/remove", fields).status_code == 404
    assert ada.post("/account/keys/remove", fields).status_code == 303
    with shared.database() as database, database.read() as connection:
        assert ssh.keys_of(connection, person) == []


def test_another_password_ends_what_the_old_one_began(shared: Registry) -> None:
    person = somebody(shared)
    ada, elsewhere = signed_in(shared, person), signed_in(shared, person)
    fields = {"old": PASSWORD, "new": "another horse battery", "again": "another horse battery"}
    for wrong, error in (
        ({"old": "wrong horse battery"}, "This is not your password."),
        ({"again": "x"}, "This is not the same as the new password."),
        ({"new": "short", "again": "short"}, "10 to 1024 characters"),
    ):
        answer = ada.post("/account/password", fields | wrong)
        assert (answer.status_code, error in text_of(answer)) == (400, True)
        assert not any(
            value in answer.text for value in (fields | wrong).values() if len(value) > 5
        )
    assert ada.post("/account/password", fields).status_code == 303
    assert ada.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    assert visitor(shared).sign_in(person.name).status_code == 403
    assert visitor(shared).sign_in(person.name, fields["new"]).status_code == 303


def test_a_program_is_let_in_by_a_form_and_not_by_a_link(shared: Registry) -> None:
    person = somebody(shared)
    ada, started = signed_in(shared, person), waiting_client(shared, HOSTILE[:60])
    code = started["user_code"]
    for path in (f"/device?user_code={code}", f"/device?code={code.lower()}&approve=yes"):
        page = ada.get(path)
        assert page.status_code == 200
        for told in (code, HOSTILE[:60], "127.0.0.1", person.name, "Only let it in if"):
            assert told in text_of(page)
        assert "<script>" not in page.text
    assert poll(shared, started)["error"] == "authorization_pending"
    page = ada.post("/device", {"code": code})
    assert (page.status_code, "Let this program in?" in text_of(page)) == (200, True)
    done = ada.post("/device", {"code": code, "approve": "yes"})
    assert (done.status_code, "The program is let in" in text_of(done)) == (200, True)
    secret = poll(shared, started)["access_token"]
    assert who(shared, secret) == 200
    again = ada.post("/device", {"code": code, "deny": "yes"})
    assert (again.status_code, "no client waits" in again.text.lower()) == (400, False)
    [path] = re.findall(r'action="(/account/tokens/\d+/revoke)"', ada.get("/account").text)
    assert ada.post(path).status_code == 303
    assert who(shared, secret) == 401


def test_a_program_is_told_no(shared: Registry) -> None:
    ada, started = signed_in(shared), waiting_client(shared)
    answer = ada.post("/device", {"code": started["user_code"], "deny": "yes"})
    assert "The program is not let in" in text_of(answer)
    assert poll(shared, started)["error"] == "access_denied"


@pytest.mark.parametrize("code", ["", "XXXX-XXXX", "<i>", "é" * 40, "0", "A" * 5000])
def test_a_code_that_nobody_waits_with_is_told_at_its_field(shared: Registry, code: str) -> None:
    ada = signed_in(shared)
    for answer in (
        ada.post("/device", {"code": code}),
        ada.post("/device", {"code": code, "approve": "yes"}),
        ada.client.get("/device", params={"user_code": code or "-"}),
    ):
        assert (answer.status_code, 'aria-invalid="true"' in answer.text) == (400, True)
        assert "<i>" not in answer.text


def hostile_page(registry: Registry) -> tuple[Visitor, list[str]]:
    person = somebody(registry, display_name=HOSTILE)
    with registry.database() as database, database.write() as connection:
        lab = add_organization(connection, f"lab{uuid4().hex[:8]}", HOSTILE)
        project = add_project(connection, lab, "cats", display_name=HOSTILE)
        grant(connection, lab, person, Role.ADMIN)
    pages = ["/account", "/projects", f"/projects/{project.name}", f"/organizations/{lab.name}"]
    return signed_in(registry, person), pages


def test_hostile_names_are_text(shared: Registry) -> None:
    ada, pages = hostile_page(shared)
    for path in pages:
        page = ada.get(path)
        assert page.status_code == 200
        assert HOSTILE in text_of(page)
        assert "<script>" not in page.text
        # Of `{{7*7}}`, had a template taken it for its own; names in links may hold the digits.
        heading = page.text.partition("<h1>")[2].partition("</h1>")[0]
        assert heading
        assert "49" not in heading
