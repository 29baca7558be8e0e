"""Signing in with an OpenID Connect provider that really answers, truthfully and not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from browsing import Server, Visitor, free_port, server, signed_in, somebody, text_of, visitor
from provider import CLIENT, SECRET, Provider, new_key, provider, shared_secret

from roar_glaas.access import oidc
from roar_glaas.access.oidc_settings import read_oidc
from roar_glaas.access.people import find_person, set_disabled
from roar_glaas.errors import GlaasError, Unavailable

SETTINGS = """
attempts_per_minute = 0
[oidc]
issuer = "{issuer}"
client_id = "glaas"
name = "the <b>Lab</b>"
{more}
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    with provider() as found:
        yield found


@pytest.fixture(scope="module")
def open_to_all(issuer: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that makes accounts for whoever has a mail address at example.org."""
    more = 'create_accounts = true\nemail_domains = ["Example.org"]'
    yield from _server(issuer, tmp_path_factory.mktemp("open"), more)


@pytest.fixture(scope="module")
def closed(issuer: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets in whom it knows."""
    yield from _server(issuer, tmp_path_factory.mktemp("closed"), "")


def _server(issuer: Provider, folder: Path, more: str) -> Iterator[Server]:
    settings = SETTINGS.format(issuer=issuer.url, more=more)
    with server(folder, settings, GLAAS_OIDC_CLIENT_SECRET=SECRET) as found:
        yield found
        assert SECRET not in found.log


@pytest.fixture(autouse=True)
def _truth(issuer: Provider) -> Iterator[None]:
    """The provider tells the truth again, of somebody new."""
    mail = f"{uuid4().hex}@example.org"
    issuer.claims = {"sub": uuid4().hex, "email": mail, "email_verified": True}
    issuer.lie, issuer.header, issuer.signs_with = lambda claims: None, {"alg": "RS256"}, None
    issuer.refused.clear()
    yield
    issuer.wait()


def there_and_back(person: Visitor, where: str = "/") -> httpx.Response:
    """Follow the link to the provider and what it answers, as a browser would."""
    there = person.client.get("/sign-in/oidc", params={"next": where})
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"])
    assert back.status_code == 302, back.text
    return person.client.get(back.headers["location"])


def test_somebody_new_gets_an_account_and_later_the_same_one(
    issuer: Provider, open_to_all: Server
) -> None:
    issuer.claims |= {"preferred_username": "Ada Lovelace!", "name": "Ada <b>Lovelace</b>"}
    ada = visitor(open_to_all)
    page = ada.get("/sign-in?next=/projects")
    assert "Sign in with the <b>Lab</b>" in " ".join(text_of(page).split())
    assert "<b>Lab" not in page.text
    back = there_and_back(ada, "/projects")
    assert (back.status_code, back.headers["location"]) == (303, "/projects")
    assert "glaas_session" in ada.client.cookies
    assert "glaas_way" not in ada.client.cookies
    account = text_of(ada.get("/account"))
    assert "ada-lovelace" in account
    assert "Ada <b>Lovelace</b>" in account
    assert issuer.claims["email"] in account
    issuer.claims |= {"email": "elsewhere@evil.example", "preferred_username": "other"}
    again = visitor(open_to_all)
    assert there_and_back(again).status_code == 303
    assert "ada-lovelace" in text_of(again.get("/account"))
    issuer.claims |= {"sub": uuid4().hex, "email": "x@example.org"}
    issuer.claims |= {"preferred_username": "Ada Lovelace"}
    third = visitor(open_to_all)
    assert there_and_back(third).status_code == 303
    assert "ada-lovelace-2" in text_of(third.get("/account"))


def test_a_known_address_is_its_account_from_then_on(issuer: Provider, closed: Server) -> None:
    person = somebody(closed, email=issuer.claims["email"].upper())
    ada = visitor(closed)
    assert there_and_back(ada).status_code == 303
    assert person.name in text_of(ada.get("/account"))
    subject = issuer.claims["sub"]
    # The address goes to somebody else; the account stays with whom it was.
    issuer.claims["sub"] = uuid4().hex
    refused = there_and_back(visitor(closed))
    assert (refused.status_code, "belongs to another sign-in" in refused.text) == (403, True)
    issuer.claims |= {"sub": subject, "email_verified": False}
    assert there_and_back(visitor(closed)).status_code == 303
    with closed.database() as database, database.write() as connection:
        set_disabled(connection, find_person(connection, person.name), True)
    refused = there_and_back(visitor(closed))
    assert (refused.status_code, "disabled" in refused.text) == (403, True)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"email_verified": False}, "did not verify your mail address"),
        ({"email_verified": "true"}, "did not verify your mail address"),
        ({"email": None}, "did not verify your mail address"),
        ({"email": "no address"}, "cannot be used here"),
        ({"email": "a@example.org@evil.example"}, "cannot be used here"),
        ({"email": "ada@evil.example"}, "do not sign in here"),
        ({"email": "ada@sub.example.org"}, "do not sign in here"),
        ({"sub": ""}, "does not hold"),
        ({"sub": "x" * 300}, "does not hold"),
    ],
)
def test_who_cannot_be_known_is_not_let_in(
    issuer: Provider, open_to_all: Server, claims: dict[str, Any], told: str
) -> None:
    issuer.claims |= claims
    person = visitor(open_to_all)
    answer = there_and_back(person)
    assert (answer.status_code, told in text_of(answer)) == (403, True), text_of(answer)
    assert "glaas_session" not in person.client.cookies


def test_nobody_gets_an_account_where_none_are_made(issuer: Provider, closed: Server) -> None:
    answer = there_and_back(visitor(closed))
    assert (answer.status_code, "no account here has" in text_of(answer).lower()) == (403, True)


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims.pop(name, None)


def _with(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims.update(values)


LIES = {
    "another nonce": _with(nonce="x"),
    "no nonce": _without("nonce"),
    "another audience": _with(aud="other"),
    "several audiences, none of them the one": _with(aud=["other", "more"]),
    "for another party": _with(aud=[CLIENT, "other"], azp="other"),
    "another issuer": _with(iss="https://evil.example"),
    "expired": _with(exp=1_000_000_000),
    "never expires": _without("exp"),
    "from the future": _with(iat=4_000_000_000),
    "no subject": _without("sub"),
    "no audience": _without("aud"),
}


@pytest.mark.parametrize("what", LIES)
def test_a_token_that_does_not_hold_lets_nobody_in(
    issuer: Provider, open_to_all: Server, what: str
) -> None:
    issuer.lie = LIES[what]
    _refused(open_to_all, 403)


def test_a_token_signed_by_nobody_known_lets_nobody_in(
    issuer: Provider, open_to_all: Server
) -> None:
    issuer.signs_with = new_key("1")
    issuer.header = {"alg": "ES256", "kid": "1"}
    _refused(open_to_all, 403)
    issuer.signs_with, issuer.header = shared_secret(), {"alg": "HS256"}
    _refused(open_to_all, 403)


def _refused(at: Server, status: int) -> None:
    person = visitor(at)
    answer = there_and_back(person)
    assert (answer.status_code, "does not hold" in text_of(answer)) == (status, True)
    assert "glaas_session" not in person.client.cookies
    assert "glaas_way" not in person.client.cookies


def test_a_new_key_of_the_provider_is_fetched(issuer: Provider, open_to_all: Server) -> None:
    issuer.header = {"alg": "RS256", "kid": "1"}
    assert there_and_back(visitor(open_to_all)).status_code == 303
    before = issuer.key
    issuer.key, issuer.header = new_key("2"), {"alg": "ES256", "kid": "2"}
    try:
        assert there_and_back(visitor(open_to_all)).status_code == 303
    finally:
        issuer.key = before


def test_only_the_browser_that_went_comes_back(issuer: Provider, open_to_all: Server) -> None:
    ada, mallory = visitor(open_to_all), visitor(open_to_all)
    location = ada.get("/sign-in/oidc").headers["location"]
    back = httpx.get(location).headers["location"]
    mallory.get("/sign-in/oidc")
    for person in (mallory, visitor(open_to_all)):
        answer = person.client.get(back)
        assert (answer.status_code, "begin again" in text_of(answer)) == (403, True)
    # That was no use of the code; a second one would be.
    assert ada.client.get(back).status_code == 303
    assert ada.client.get(back).status_code == 403


@pytest.mark.parametrize("query", ["", "?code=x", "?code=&state=", "?error=access_denied&state=x"])
def test_what_the_provider_did_not_send_is_refused(open_to_all: Server, query: str) -> None:
    person = visitor(open_to_all)
    person.get("/sign-in/oidc")
    answer = person.get(f"/sign-in/oidc/back{query}")
    assert (answer.status_code, "glaas_session" in person.client.cookies) == (403, False)


def test_the_way_there_shows_no_secret_and_changes_nothing(
    issuer: Provider, open_to_all: Server
) -> None:
    ada = visitor(open_to_all)
    answer = ada.get("/sign-in/oidc?next=//evil.example")
    flags = answer.headers["set-cookie"].lower()
    assert all(one in flags for one in ("httponly", "samesite=lax", "max-age=600"))
    kept = ada.client.cookies["glaas_way"].strip('"')
    assert kept.partition(".")[0] not in answer.headers["location"]
    assert SECRET not in answer.headers["location"]
    back = httpx.get(answer.headers["location"]).headers["location"]
    assert ada.client.get(back).headers["location"] == "/"


def test_a_session_of_somebody_else_ends(issuer: Provider, open_to_all: Server) -> None:
    ada = signed_in(open_to_all)
    before = ada.client.cookies["glaas_session"]
    ada.client.cookies.clear()
    ada.client.cookies.set("glaas_session", before)
    assert there_and_back(ada).status_code == 303
    other = visitor(open_to_all)
    other.client.cookies.set("glaas_session", before)
    assert other.get("/account").status_code == 303


def test_a_secret_in_a_file_is_posted_to_whom_wants_it_so(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    with provider() as issuer:
        issuer.endpoint_auth = "client_secret_post"
        issuer.claims = {"sub": "1", "email": "a@b.example", "email_verified": True}
        stated = {"issuer": issuer.url, "client_id": CLIENT}
        stated["client_secret_file"] = str(tmp_path / "secret")
        client = oidc.Provider(read_oidc(stated, {}, "glaas.toml"), "http://127.0.0.1:9/back")
        back = httpx.get(client.way_there("s")).headers["location"]
        query = parse_qs(urlsplit(back).query)
        who = client.way_back("s", query["state"][0], query["code"][0])
        assert (who.issuer, who.subject, who.email) == (issuer.url, "1", "a@b.example")
        assert issuer.refused == []
        issuer.wait()


@pytest.mark.parametrize(
    "published",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "ftp://evil.example"},
        {"jwks_uri": None},
        {"response_types_supported": []},
        {"jwks_uri": "http://127.0.0.1:1/"},
    ],
)
def test_a_provider_that_says_what_cannot_be_is_none(published: dict[str, Any]) -> None:
    with provider() as issuer:
        issuer.published = published
        settings = read_oidc({"issuer": issuer.url, "client_id": CLIENT}, {}, "glaas.toml")
        client = oidc.Provider(settings, "http://127.0.0.1:9/back")
        with pytest.raises(Unavailable, match="cannot be reached"):
            client.way_there("s")
        issuer.wait()


def test_a_provider_that_is_gone_is_told(tmp_path: Path) -> None:
    issuer = f"http://127.0.0.1:{free_port()}"
    with server(tmp_path, SETTINGS.format(issuer=issuer, more="")) as found:
        answer = visitor(found).get("/sign-in/oidc")
    assert (answer.status_code, "cannot be reached" in text_of(answer)) == (503, True)


def test_where_no_provider_is_set_up_there_is_none(refusing: Any) -> None:
    for path in ("/sign-in/oidc", "/sign-in/oidc/back?code=x&state=y"):
        assert visitor(refusing).get(path).status_code == 404
    assert "or by password" not in visitor(refusing).get("/sign-in").text


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        (7, "must be a table"),
        ({"client_id": "x"}, "oidc.issuer is missing"),
        ({"issuer": "https://a.example"}, "oidc.client_id is missing"),
        ({"issuer": "http://a.example", "client_id": "x"}, "must start with https://"),
        ({"issuer": "x", "client_id": "x"}, "must start with https://"),
        ({"client_secret": "x"}, "give it in GLAAS_OIDC_CLIENT_SECRET"),
        ({"create_accounts": "yes"}, "must be of type bool"),
        ({"colour": "red"}, "oidc.colour is none of"),
        ({"issuer": "https://a.b", "client_id": "x", "email_domains": ["@x"]}, "lists domains"),
        ({"issuer": "https://a.b", "client_id": "x", "client_secret_file": "/no"}, "be read"),
    ],
)
def test_settings_that_cannot_be_are_told(stated: object, told: str) -> None:
    with pytest.raises(GlaasError, match=told):
        read_oidc(stated, {}, "glaas.toml")


def test_a_secret_is_never_written_out() -> None:
    stated = {"issuer": "https://a.example", "client_id": "x"}
    settings = read_oidc(stated, {"GLAAS_OIDC_CLIENT_SECRET": SECRET}, "glaas.toml")
    assert settings.client_secret == SECRET
    assert SECRET not in repr(settings)


def test_the_library_is_loaded_only_for_a_provider(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from roar_glaas.app import create_app;"
        "from roar_glaas.settings import Settings; create_app(Settings(data=Path(sys.argv[1])));"
        "print([one for one in ('authlib', 'joserfc', 'argon2', 'httpx') if one in sys.modules])"
    )
    command = [sys.executable, "-c", script, tmp_path]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
