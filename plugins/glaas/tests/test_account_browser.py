"""Signing in, letting a program in, tokens and keys in a real browser; and forms of other sites."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from browsing import PASSWORD, Server, server, somebody
from provider import SECRET, Provider, provider
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from roar_core.testing.chromium import open_chromium, wait_until_left
from roar_glaas.access import ssh, tokens, web_sessions
from roar_glaas.access.caller import Role
from roar_glaas.access.people import Person
from roar_glaas.access.projects import add_organization, add_project, grant

pytestmark = pytest.mark.needs("chromium")
Browser = webdriver.Chrome
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    with provider() as found:
        yield found


@pytest.fixture(scope="module")
def registry(issuer: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that people sign in to by password, and with a provider."""
    settings = f"""
    [oidc]
    issuer = "{issuer.url}"
    client_id = "glaas"
    create_accounts = true
    """
    folder = tmp_path_factory.mktemp("registry")
    with server(folder, settings, GLAAS_OIDC_CLIENT_SECRET=SECRET) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all of the module."""
    with open_chromium(1280, 900) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser, registry: Server, issuer: Provider) -> Iterator[Browser]:
    """The browser, in which nobody is signed in; it must not complain of what the pages do."""
    chromium.get(registry.url)
    chromium.delete_all_cookies()
    chromium.get_log("browser")
    yield chromium
    complaints = [entry["message"] for entry in chromium.get_log("browser")]
    assert [said for said in complaints if "the server responded with" not in said] == []
    issuer.wait()


@pytest.fixture
def ada(registry: Server) -> Person:
    return somebody(registry, display_name=f"Ada {HOSTILE}")


def press(browser: Browser, selector: str) -> None:
    """Press a button that leads to another page, and wait for that."""
    button = browser.find_element(By.CSS_SELECTOR, selector)
    page = browser.find_element(By.TAG_NAME, "html")
    button.click()
    wait_until_left(browser, page)
    WebDriverWait(browser, 60).until(
        lambda found: found.execute_script("return document.readyState") == "complete"
    )


def focused_on(browser: Browser, name: str) -> WebElement:
    """The field that the page put the reader in: where the error is."""
    WebDriverWait(browser, 60).until(
        lambda found: found.switch_to.active_element.get_attribute("name") == name
    )
    return browser.switch_to.active_element


def text(browser: Browser) -> str:
    return browser.find_element(By.TAG_NAME, "main").text


def sign_in(browser: Browser, registry: Server, person: Person, where: str = "/sign-in") -> None:
    browser.get(registry.url + where)
    browser.find_element(By.NAME, "name").send_keys(person.name)
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    press(browser, "form[action='/sign-in'] button")


def test_one_signs_in_by_keys_and_out(browser: Browser, registry: Server, ada: Person) -> None:
    browser.get(f"{registry.url}/account")
    assert browser.current_url.endswith("/sign-in?next=%2Faccount")
    browser.find_element(By.NAME, "name").send_keys(ada.name, Keys.TAB, "wrong horse battery")
    press(browser, "form[action='/sign-in'] button")
    focused = focused_on(browser, "password")
    told = focused.get_attribute("aria-describedby").split()
    assert "do not belong together" in browser.find_element(By.ID, told[0]).text
    assert browser.title.startswith("Error: ")
    page = browser.find_element(By.TAG_NAME, "html")
    focused.send_keys(PASSWORD, Keys.ENTER)
    wait_until_left(browser, page)
    WebDriverWait(browser, 60).until(lambda found: found.current_url.endswith("/account"))
    assert f"Ada {HOSTILE}" in text(browser)
    assert browser.find_elements(By.CSS_SELECTOR, "main img, main script") == []
    cookie = browser.get_cookie("glaas_session")
    assert cookie is not None
    flags = (cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["secure"])
    assert flags == (True, "Lax", "/", False)
    assert browser.execute_script("return document.cookie") == ""
    press(browser, "form[action='/sign-out'] button")
    assert browser.get_cookie("glaas_session") is None
    browser.back()
    WebDriverWait(browser, 60).until(lambda found: "/sign-in?next=" in found.current_url)
    assert "Ada" not in browser.page_source, "nothing of it is shown again"


def test_one_signs_in_with_a_provider(browser: Browser, registry: Server, issuer: Provider) -> None:
    mail = f"{uuid4().hex}@example.org"
    issuer.claims = {"sub": mail, "email": mail, "email_verified": True, "name": HOSTILE}
    browser.get(f"{registry.url}/sign-in?next=/account")
    press(browser, "a.button")
    WebDriverWait(browser, 60).until(lambda found: found.current_url.endswith("/account"))
    assert mail in text(browser)
    assert HOSTILE in text(browser)
    assert browser.get_cookie("glaas_way") is None


def test_a_program_is_let_in(browser: Browser, registry: Server, ada: Person) -> None:
    body = {"client_id": "roar-cli", "client_name": HOSTILE}
    started = httpx.post(f"{registry.url}/api/v1/auth/device/start", json=body).json()
    complete = started["verification_uri_complete"].removeprefix(registry.url)
    sign_in(browser, registry, ada, complete)
    assert started["user_code"] in text(browser)
    assert HOSTILE[:60] in text(browser)
    press(browser, "button[name='approve']")
    assert "The program is let in" in text(browser)
    poll = {"device_code": started["device_code"], "client_id": "roar-cli"}
    told = httpx.post(f"{registry.url}/api/v1/auth/device/token", json=poll).json()
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    me = httpx.get(f"{registry.url}/api/v1/auth/me", headers=headers).json()
    assert me["data"]["user"]["username"] == ada.name


def test_a_code_is_typed_and_refused(browser: Browser, registry: Server, ada: Person) -> None:
    started = httpx.post(f"{registry.url}/api/v1/auth/device/start", json={}).json()
    sign_in(browser, registry, ada, "/device")
    browser.find_element(By.NAME, "code").send_keys("XXXX-XXXX")
    press(browser, "main form button")
    box = focused_on(browser, "code")
    assert box.get_attribute("aria-invalid") == "true"
    box.clear()
    box.send_keys(started["user_code"].lower())
    press(browser, "main form button")
    press(browser, "button[name='deny']")
    assert "The program is not let in" in text(browser)


def test_a_token_is_made_used_and_revoked(browser: Browser, registry: Server, ada: Person) -> None:
    sign_in(browser, registry, ada)
    browser.get(f"{registry.url}/account")
    browser.find_element(By.NAME, "title").send_keys(HOSTILE)
    press(browser, "form[action='/account/tokens'] button")
    secret = browser.find_element(By.ID, "secret").text
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{registry.url}/api/v1/auth/me", headers=headers).status_code == 200
    assert browser.find_elements(By.CSS_SELECTOR, "main img, main script") == []
    press(browser, "#tokens td .danger")
    assert browser.find_element(By.CSS_SELECTOR, "[role=status]").text == "The token is revoked."
    assert httpx.get(f"{registry.url}/api/v1/auth/me", headers=headers).status_code == 401


def test_a_key_is_added_and_removed(
    browser: Browser, registry: Server, ada: Person, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    sign_in(browser, registry, ada)
    browser.get(f"{registry.url}/account")
    browser.find_element(By.CSS_SELECTOR, "#keys summary").click()
    browser.find_element(By.NAME, "key").send_keys(file.with_suffix(".pub").read_text())
    press(browser, "form[action='/account/keys'] button")
    assert "SHA256:" in browser.find_element(By.CSS_SELECTOR, "#keys td code").text
    press(browser, "#keys td .danger")
    with registry.database() as database, database.read() as connection:
        assert ssh.keys_of(connection, ada) == []


def test_members_are_changed(browser: Browser, registry: Server, ada: Person) -> None:
    other = somebody(registry)
    with registry.database() as database, database.write() as connection:
        lab = add_organization(connection, f"lab{uuid4().hex[:8]}", HOSTILE)
        project = add_project(connection, lab, "cats", display_name=HOSTILE)
        grant(connection, lab, ada, Role.ADMIN)
    sign_in(browser, registry, ada)
    browser.get(f"{registry.url}/projects/{project.name}")
    assert browser.find_element(By.TAG_NAME, "h1").text == HOSTILE
    browser.find_element(By.NAME, "name").send_keys(other.name)
    press(browser, "button[name='add']")
    assert browser.find_element(By.CSS_SELECTOR, "#members tbody th").text == other.name
    press(browser, "button[name='remove']")
    assert "Nobody but its owner." in text(browser)
    assert browser.find_elements(By.CSS_SELECTOR, "main img, main script") == []


def test_a_form_of_another_site_does_nothing(
    browser: Browser, registry: Server, ada: Person
) -> None:
    started = httpx.post(f"{registry.url}/api/v1/auth/device/start", json={}).json()
    sign_in(browser, registry, ada)
    fields = {
        "/account/tokens": {"title": "forged", "days": "30"},
        "/device": {"code": started["user_code"], "approve": "yes"},
        "/account/browsers/sign-out": {},
        "/sign-out": {},
        "/sign-in": {"name": ada.name, "password": PASSWORD},
    }
    with OtherSite(registry, fields) as evil:
        for number, path in enumerate(fields):
            # The same machine at another port is the same site and another origin.
            start = evil if number else evil.replace("127.0.0.1", "localhost")
            browser.get(f"{start}/")
            press(browser, f"#form{number} button")
            assert browser.current_url == registry.url + path
            assert "Not allowed" in text(browser)
            assert "not on a page of this registry" in text(browser)
    with registry.database() as database, database.read() as connection:
        assert tokens.all_tokens(connection, ada) == []
        assert len(web_sessions.sessions_of(connection, ada.id)) == 1
    poll = {"device_code": started["device_code"], "client_id": "roar-cli"}
    told = httpx.post(f"{registry.url}/api/v1/auth/device/token", json=poll).json()
    assert told["error"] == "authorization_pending"


class OtherSite:
    """A page elsewhere with forms that lead to the registry, at its address."""

    def __init__(self, registry: Server, fields: dict[str, dict[str, str]]) -> None:
        forms = [
            f'<form id="form{number}" method="post" action="{registry.url}{path}">'
            + "".join(f'<input name="{name}" value="{value}">' for name, value in these.items())
            + "<button>Win</button></form>"
            for number, (path, these) in enumerate(fields.items())
        ]
        page = ("<!doctype html><link rel=icon href='data:,'>" + "".join(forms)).encode()

        class Handler(BaseHTTPRequestHandler):
            timeout = 2  # of connections that a browser opens to be quick, and does not use

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # closing waits for what is still open
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(
    browser: Browser, registry: Server, ada: Person, width: int
) -> None:
    sign_in(browser, registry, ada)
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for path in ("/account", "/projects", "/my/sessions", "/device", "/"):
            browser.get(registry.url + path)
            found = browser.execute_script("return document.documentElement.scrollWidth")
            assert found <= width, path
            unnamed = browser.execute_script(
                "return [...document.querySelectorAll('input:not([type=hidden]), select')]"
                ".filter(one => !one.labels.length && !one.ariaLabel && !one.hidden)"
                ".map(one => one.outerHTML)"
            )
            assert unnamed == [], path
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
