"""Signing in by name and password, and the session that a browser then has, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import sqlalchemy as sa
from browsing import PASSWORD, Visitor, server, signed_in, somebody, text_of, visitor

from roar_glaas.access import web_sessions
from roar_glaas.access.people import set_disabled
from roar_glaas.access.sign_in import FREE_ANYWHERE, FREE_HERE, LONGEST_WAIT_S, sign_in, wait_s
from roar_glaas.access.tokens import issue_personal
from roar_glaas.errors import TooMany
from roar_glaas.moments import SECOND_US
from roar_glaas.pages.account.answers import local_address
from roar_glaas.storage.tables import metadata, sign_in_attempt, web_session

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

WRONG = "This name and this password do not belong together."


@pytest.fixture(scope="module", autouse=True)
def _no_rates() -> Iterator[None]:
    """Servers of this module count no attempts of an address: all tests have the same one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLAAS_ATTEMPTS_PER_MINUTE", "0")
        yield


def cookie_of(person: Visitor) -> str:
    found = person.client.cookies.get("glaas_session")
    assert found
    return found


def is_signed_in(person: Visitor) -> bool:
    return person.get("/account").status_code == 200


def test_one_signs_in_by_name_or_mail_address_and_out(shared: Registry) -> None:
    person = somebody(shared, email=f"{uuid4().hex}@example.org", display_name="Ada L")
    for name in (person.name, (person.email or "").upper()):
        ada = visitor(shared)
        assert "Sign in" in text_of(ada.get("/"))
        answer = ada.sign_in(name, where="/my/sessions?before=9")
        assert (answer.status_code, answer.headers["location"]) == (303, "/my/sessions?before=9")
        flags = answer.headers["set-cookie"].lower()
        assert all(one in flags for one in ("httponly", "samesite=lax", "path=/", "max-age="))
        assert "secure" not in flags, "over http it would never come back"
        for path in ("/", "/account", "/projects"):
            page = ada.get(path)
            assert person.name in text_of(page)
            assert page.headers["cache-control"] == "no-store"
            assert "Cookie" in page.headers["vary"]
        assert "Ada L" in text_of(ada.get("/account"))
        answer = ada.post("/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "max-age=0" in answer.headers["set-cookie"].lower()
        assert not is_signed_in(ada)


def test_who_must_sign_in_first_is_brought_back(refusing: Registry) -> None:
    answer = visitor(refusing).get("/device?user_code=BCDF-GHJK")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fdevice%3Fuser_code%3DBCDF-GHJK"


def test_name_and_password_are_refused_alike(shared: Registry) -> None:
    person, disabled, without = somebody(shared), somebody(shared), somebody(shared)
    without = somebody(shared, password_hash=None)
    with shared.database() as database, database.write() as connection:
        set_disabled(connection, disabled, True)
    pages = set()
    for name in (person.name, disabled.name, without.name, f"q{uuid4().hex[:12]}"):
        password = "wrong horse battery" if name == person.name else PASSWORD
        answer = visitor(shared).sign_in(name, password)
        assert (answer.status_code, WRONG in text_of(answer)) == (403, True)
        assert "set-cookie" not in answer.headers
        pages.add(answer.text.replace(name, "NAME"))
    assert len(pages) == 1


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "Type your name."),
        ({"name": "ada"}, "Type your password."),
        ({"name": "<i>", "password": ""}, "Type your password."),
    ],
)
def test_an_error_stands_beside_its_field(
    refusing: Registry, fields: dict[str, str], error: str
) -> None:
    answer = visitor(refusing).raw_post("/sign-in", fields, {"Origin": refusing.url})
    assert (answer.status_code, error in text_of(answer)) == (400, True)
    assert 'aria-invalid="true"' in answer.text
    assert "<i>" not in answer.text


def test_signing_in_begins_anew(shared: Registry) -> None:
    person = somebody(shared)
    ada = signed_in(shared, person)
    before = cookie_of(ada)
    token = ada.form_token()
    answer = ada.raw_post(
        "/sign-in",
        {"name": person.name, "password": PASSWORD, "form_token": token},
        {"Origin": shared.url},
    )
    assert answer.status_code == 303
    assert cookie_of(ada) != before
    assert ada.form_token() != token
    other = visitor(shared)
    other.client.cookies.set("glaas_session", before)
    assert not is_signed_in(other)


def test_a_session_ends_when_nobody_uses_it_and_in_any_case(shared: Registry) -> None:
    person = somebody(shared)
    for column, value in (("seen_at_us", 1), ("expires_at_us", 1)):
        ada = signed_in(shared, person)
        assert is_signed_in(ada)
        with shared.database() as database, database.write() as connection:
            this = web_session.c.owner_id == person.id
            connection.execute(sa.update(web_session).where(this).values({column: value}))
        assert not is_signed_in(ada)
        signed_in(shared)
        with shared.database() as database, database.read() as connection:
            assert connection.execute(sa.select(web_session).where(this)).all() == []


def test_use_is_noted_and_so_keeps_a_session(shared: Registry) -> None:
    person = somebody(shared)
    ada = signed_in(shared, person)
    this = web_session.c.owner_id == person.id
    with shared.database() as database:
        with database.write() as connection:
            row = connection.execute(sa.select(web_session).where(this)).one()
            long_ago = row.seen_at_us - 3600 * SECOND_US
            connection.execute(sa.update(web_session).where(this).values(seen_at_us=long_ago))
        assert is_signed_in(ada)
        with database.read() as connection:
            seen = connection.execute(sa.select(web_session.c.seen_at_us).where(this)).scalar_one()
    assert seen >= row.seen_at_us


def test_a_disabled_account_is_signed_out_at_once(shared: Registry) -> None:
    person = somebody(shared)
    ada = signed_in(shared, person)
    with shared.database() as database, database.write() as connection:
        set_disabled(connection, person, True)
    assert not is_signed_in(ada)


def test_one_signs_out_another_browser_and_all_others(shared: Registry) -> None:
    person, stranger = somebody(shared), signed_in(shared)
    here, there, yonder = (signed_in(shared, person) for _ in range(3))
    with shared.database() as database, database.read() as connection:
        listed = web_sessions.sessions_of(connection, person.id)
    first = min(one["id"] for one in listed)
    for who, status in ((stranger, 404), (there, 303), (there, 404)):
        assert who.post(f"/account/browsers/{first}/sign-out").status_code == status
    assert [is_signed_in(one) for one in (here, there, yonder)] == [False, True, True]
    assert there.post("/account/browsers/sign-out").status_code == 303
    assert [is_signed_in(one) for one in (there, yonder, stranger)] == [True, False, True]


def test_no_secret_of_a_browser_is_kept(shared: Registry) -> None:
    person = somebody(shared)
    ada = signed_in(shared, person)
    secrets = [cookie_of(ada), ada.form_token(), PASSWORD]
    with shared.database() as database, database.read() as connection:
        rows = [
            repr(row)
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        ]
    assert [row for row in rows if any(secret in row for secret in secrets)] == []


def test_the_api_knows_nobody_by_a_cookie(shared: Registry) -> None:
    person = somebody(shared)
    ada = signed_in(shared, person)
    for path in ("/api/v1/auth/me", "/api/v1/sessions?limit=1", "/api/v1/auth/access-context"):
        assert ada.get(path).status_code == 401
    answer = ada.client.post("/api/v1/auth/logout", headers={"Origin": shared.url})
    assert answer.status_code == 401
    with shared.database() as database, database.write() as connection:
        secret = issue_personal(connection, person.id, "for a program", days=1)
    program = {"Authorization": f"Bearer {secret}"}
    assert ada.client.get("/api/v1/auth/me", headers=program).status_code == 200


def test_a_proxys_password_before_the_pages_is_not_ours(shared: Registry) -> None:
    ada = signed_in(shared)
    basic = {"Authorization": "Basic YTpi"}
    assert ada.client.get("/account", headers=basic).status_code == 200
    assert visitor(shared).client.get(f"/artifacts/{'9' * 64}", headers=basic).status_code == 404


FORGED: list[dict[str, str]] = [
    {},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "https://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", FORGED)
def test_a_form_of_another_site_is_refused(shared: Registry, headers: dict[str, str]) -> None:
    person = somebody(shared)
    ada = signed_in(shared, person)
    fields = {"name": person.name, "password": PASSWORD, "form_token": ada.form_token()}
    for path in ("/sign-in", "/sign-out", "/account/tokens", "/account/browsers/sign-out"):
        answer = ada.raw_post(path, fields, headers)
        assert (answer.status_code, "not on a page of this registry" in answer.text) == (403, True)
        assert "set-cookie" not in answer.headers
    assert is_signed_in(ada)
    assert visitor(shared).raw_post("/sign-in", fields, headers).status_code == 403


def test_a_form_needs_the_token_of_its_own_session(shared: Registry) -> None:
    ada, bob = signed_in(shared), signed_in(shared)
    for given in ("", "0" * 64, "é" * 64, bob.form_token(), ada.form_token()[:-1]):
        answer = ada.raw_post("/sign-out", {"form_token": given}, {"Origin": shared.url})
        assert (answer.status_code, "open the page again" in answer.text) == (403, True)
    assert is_signed_in(ada)


def test_every_page_that_changes_something_wants_the_proof(shared: Registry) -> None:
    from roar_glaas.pages.account.routes import account_page_routes

    ada = signed_in(shared)
    paths = set()
    for route in account_page_routes.routes:
        for handler in getattr(route, "route_handlers", ()):
            if "POST" in handler.http_methods:
                paths.add(route.path_format)
    assert len(paths) > 6
    for path in paths:
        filled = path.replace("_id}", "}").format_map(_Filler())
        answer = ada.raw_post(filled, {"name": "x"}, {"Origin": shared.url})
        assert answer.status_code == 403, path
        assert visitor(shared).raw_post(filled, {}, {"Origin": shared.url}).status_code != 200
    assert is_signed_in(ada)


class _Filler(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "1"


@pytest.mark.parametrize(
    "content",
    [b"name=%ff", b"\xff", b"&".join(b"a%d=1" % n for n in range(60)), b"x" * 70_000, b"{}"],
)
def test_what_is_no_form_is_refused(refusing: Registry, content: bytes) -> None:
    kinds = ["application/x-www-form-urlencoded", "application/json", "multipart/form-data"]
    for kind in kinds:
        headers = {"Origin": refusing.url, "Content-Type": kind}
        answer = refusing.client.post("/sign-in", content=content, headers=headers)
        assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "target",
    [
        *("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil", "evil", ""),
        *("/%0d%0aSet-Cookie: a=b\r\n", "/\t/evil.example", "javascript:alert(1)", "/" * 3000),
        *("/sign-out", "/sign-in", "///evil.example", "http:/evil", " //evil", "/a\x00", "/\u202e"),
        *("https:evil", "[", "//[", "/x" * 2000),
    ],
)
def test_signing_in_leads_nowhere_else(target: str) -> None:
    assert local_address(target) == "/"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example"])
def test_a_page_leads_nowhere_else(refusing: Registry, target: str) -> None:
    shown = visitor(refusing).client.get("/sign-in", params={"next": target})
    assert 'name="next" value="/"' in shown.text


def test_what_leads_to_a_page_is_kept() -> None:
    for target in ("/[", "/", "/device?user_code=A-B", "/artifacts/abc#x", "/search?q=//x"):
        assert local_address(target) == target


def test_who_fails_often_waits_longer_and_longer_but_not_for_ever(shared: Registry) -> None:
    waits = [wait_s(failures, FREE_HERE) for failures in range(40)]
    assert waits[:FREE_HERE] == [0] * FREE_HERE
    assert waits[FREE_HERE : FREE_HERE + 3] == [1, 2, 4]
    assert max(waits) == LONGEST_WAIT_S
    person = somebody(shared)
    names = {person.name: PASSWORD, f"q{uuid4().hex[:12]}": PASSWORD}
    told = []
    for name, right in names.items():
        with shared.database() as database, database.write() as connection:
            for _ in range(FREE_HERE - 1):
                _fail(connection, name, "127.0.0.1")
        assert visitor(shared).sign_in(name, "wrong horse battery").status_code == 403
        _pass_time(shared, -30)  # a slow machine has waited already
        answer = visitor(shared).sign_in(name, right)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        told.append(answer.text.replace(name, "NAME"))
        _pass_time(shared, 30 + LONGEST_WAIT_S)
    assert told[0] == told[1], "who has no account waits alike"
    assert visitor(shared).sign_in(person.name).status_code == 303
    assert visitor(shared).sign_in(person.name, "wrong horse battery").status_code == 403


def test_strangers_who_guess_do_not_keep_somebody_out(shared: Registry) -> None:
    person, newcomer = somebody(shared), somebody(shared)
    with shared.database() as database:
        assert sign_in(database, person.name, PASSWORD, "192.0.2.1") == person.id
        for who in (person, newcomer):
            with database.write() as connection:
                for number in range(FREE_ANYWHERE):
                    _fail(connection, who.name, f"198.51.100.{number}")
        _pass_time(shared, -30)
        with pytest.raises(TooMany, match="try again in"):
            sign_in(database, person.name, PASSWORD, "203.0.113.9")
        assert sign_in(database, person.name, PASSWORD, "192.0.2.1") == person.id
        with pytest.raises(TooMany):
            sign_in(database, newcomer.name, PASSWORD, "192.0.2.2")
        _pass_time(shared, 30 + LONGEST_WAIT_S)
        assert sign_in(database, newcomer.name, PASSWORD, "192.0.2.2") == newcomer.id


def _fail(connection: sa.Connection, name: str, address: str) -> None:
    """An attempt that is never crowned with success, without the cost of its password."""
    from roar_glaas.access import sign_in as module

    module._take_attempt(connection, name, address)


def _pass_time(registry: Registry, seconds: int) -> None:
    earlier = sign_in_attempt.c.tried_at_us - seconds * SECOND_US
    with registry.database() as database, database.write() as connection:
        connection.execute(sa.update(sign_in_attempt).values(tried_at_us=earlier))


def test_behind_https_the_cookie_is_bound_to_it(tmp_path: Path) -> None:
    with server(tmp_path, 'public_url = "https://glaas.example"') as behind_https:
        person = somebody(behind_https)
        fields = {"name": person.name, "password": PASSWORD}
        ada = visitor(behind_https)
        assert ada.raw_post("/sign-in", fields, {"Origin": ada.origin}).status_code == 403
        answer = ada.raw_post("/sign-in", fields, {"Origin": "https://glaas.example"})
        assert answer.headers["set-cookie"].startswith("__Host-glaas_session=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "Domain" not in answer.headers["set-cookie"]
        # A browser without a screen keeps it all the same: here it is sent by http.
        secret = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        for name, status in (("__Host-glaas_session", 200), ("glaas_session", 303)):
            page = visitor(behind_https).client.get(
                "/account", headers={"Cookie": f"{name}={secret}"}
            )
            assert page.status_code == status
