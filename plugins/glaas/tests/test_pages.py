"""The pages in a real browser: read, walked by keys, attacked; and without a script."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pages_world import (
    World,
    digest_of,
    insert_sweep,
    register_hostile,
    register_training,
)
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from roar_core.testing.needs import leave_out, missing
from roar_glaas.storage.database import sqlite_address

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

Browser = webdriver.Chrome
Serving = Callable[[str, Path], AbstractContextManager["Registry"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, serve: Serving) -> Iterator[World]:
    """A server with all that the pages have to show."""
    folder = tmp_path_factory.mktemp("pages")
    templates = (
        'training_request_url = "https://ci.example/requests/{session}"',
        'run_url = "https://ci.example/run?repository={repository}&of={artifact}"',
    )
    (folder / "glaas.toml").write_text("\n".join(templates))
    with serve(sqlite_address(folder / "glaas.db"), folder) as registry:
        first = register_training(registry, 1, "0.1", "c" * 40, "2.3.0")
        register_training(registry, 11, "0.01", "d" * 40, "2.4.1")
        sweep = insert_sweep(registry, 10_000, 500, 25)
        beyond = insert_sweep(registry, 20_000, 2_000, 40)
        hostile, output = register_hostile(registry)
        yield World(registry, first, sweep, beyond, hostile, output)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all of the module."""
    if reason := missing("chromium"):
        leave_out(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    arguments = ["--headless=new", "--window-size=1280,900", "--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium refuses root otherwise
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The driver of the distribution: without its path, Selenium would look for one to download.
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


@pytest.fixture
def look_at(chromium: Browser, world: World) -> Iterator[Callable[[str], Browser]]:
    """Opens a page; afterwards fails if it complained, or asked another host for anything."""
    chromium.get_log("browser")
    chromium.get_log("performance")

    def look(path: str) -> Browser:
        chromium.get(world.registry.url + path)
        return chromium

    yield look
    complaints = [entry["message"] for entry in chromium.get_log("browser")]
    assert [said for said in complaints if " 404 " not in said] == []
    told = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in told
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith(world.registry.url)] == []


def graph(browser: Browser) -> WebElement:
    """The graph, once it is drawn."""
    drawn = (By.CSS_SELECTOR, "#graph[data-drawn]")
    WebDriverWait(browser, 60).until(lambda found: found.find_elements(*drawn))
    return browser.find_element(*drawn)


def drawn_again(browser: Browser, act: Callable[[], None]) -> None:
    """Do something that draws the graph anew, and wait until it has been."""
    before = graph(browser).get_attribute("data-drawn")
    act()
    WebDriverWait(browser, 60).until(
        lambda found: graph(found).get_attribute("data-drawn") != before
    )


def nodes(browser: Browser) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, "#graph [data-id]")


def node(browser: Browser, beginning: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, f'[data-id][aria-label^="{beginning}"]')


def details(browser: Browser) -> str:
    return browser.find_element(By.CSS_SELECTOR, "#graph .details").text


def focused(browser: Browser) -> str:
    return browser.switch_to.active_element.get_attribute("aria-label") or ""


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def status(browser: Browser) -> str:
    return browser.find_element(By.CSS_SELECTOR, "#graph [role=status]").text


PAGES = {
    "home": "/",
    "search": "/search?q=train",
    "nothing found": "/search?q=zzz",
    "label": "/search?q=link",
    "artifact": "/artifacts/MODEL",
    "dataset": "/artifacts/DATASET?member=" + "a" * 64,
    "recipe": "/artifacts/MODEL/recipe",
    "uses": "/artifacts/DATASET/uses",
    "compare what": "/compare?a=123",
    "compare": "/compare?a=MODEL&b=OTHER",
    "session": "/dag/SESSION",
    "large session": "/dag/SWEEP",
    "job": f"/jobs/{2:032x}",
    "hostile session": "/dag/HOSTILE",
    "hostile artifact": "/artifacts/MISCHIEF",
    "hostile job": f"/jobs/{950:032x}",
    "hostile comparison": "/compare?a=MISCHIEF&b=MODEL",
    "hostile uses": "/artifacts/IN/uses",
    "refused": "/dag/zz",
}

LOOK = """
// What is wrong with the page as it is shown now, in words.
const wrong = [];
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) wrong.push("overflows: " + root.scrollWidth);
if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
if (!document.querySelector("main")) wrong.push("no main");
if (root.lang !== "en") wrong.push("no language");
for (const field of document.querySelectorAll("input, select, textarea")) {
  if (!field.getAttribute("aria-label") && !field.labels.length) wrong.push("unnamed " + field.outerHTML);
}
for (const named of document.querySelectorAll("a, button, [role=button]")) {
  if (!named.textContent.trim() && !named.getAttribute("aria-label")) wrong.push("unnamed " + named.outerHTML);
}
for (const cell of document.querySelectorAll("th")) if (!cell.scope) wrong.push("th without scope");
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
if (new Set(ids).size !== ids.length) wrong.push("an id twice");
const light = (text) => {
  const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
  const part = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return { a, light: 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b) };
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const found = light(getComputedStyle(at).backgroundColor);
    if (found.a > 0.99) return found.light;
  }
  return 1;
};
for (const element of document.querySelectorAll("body *:not(svg *)")) {
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !element.checkVisibility()) continue;
  const [one, other] = [light(getComputedStyle(element).color).light, behind(element)];
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < 4.5) wrong.push("contrast " + contrast.toFixed(2) + " of " + element.outerHTML.slice(0, 80));
}
return wrong;
"""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_made_on_every_screen_light_and_dark(
    name: str, look_at: Callable[[str], Browser], world: World
) -> None:
    browser = look_at(world.address(PAGES[name]))
    try:
        for width in (1280, 400):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for scheme in ("light", "dark"):
                feature = {"name": "prefers-color-scheme", "value": scheme}
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
                dark = browser.execute_script(
                    "return getComputedStyle(document.body).backgroundColor"
                )
                assert (dark == "rgb(255, 255, 255)") is (scheme == "light")
                assert browser.execute_script(LOOK) == [], (width, scheme)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert "owned" not in browser.title.replace("document.title='owned'", "")
    assert not browser.find_elements(By.CSS_SELECTOR, "main img, main b, main iframe, main script")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_without_a_script(name: str, chromium: Browser, world: World) -> None:
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        chromium.get(world.registry.url + world.address(PAGES[name]))
        assert len(chromium.find_elements(By.TAG_NAME, "h1")) == 1
        for section in chromium.find_elements(By.ID, "graph"):
            assert not section.is_displayed()
            assert len(chromium.find_elements(By.CSS_SELECTOR, ".steps tbody tr")) > 0
        assert not chromium.find_elements(By.CSS_SELECTOR, "button.copy")
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_the_same_on_both_databases(name: str, shared: Registry) -> None:
    if not shared.client.get(f"/jobs/{950:032x}").is_success:
        register_training(shared, 1, "0.1", "c" * 40, "2.3.0")
        register_training(shared, 11, "0.01", "d" * 40, "2.4.1")
        register_hostile(shared)
    there = World(shared, "", "", "", "", digest_of("hostile output"))
    address = there.address(PAGES[name])
    expected = 404 if "/dag/" in address or "a=123" in address else 200
    answer = shared.client.get(address)
    assert answer.status_code == expected, answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "style=" not in answer.text
    assert "<script>" not in answer.text
    assert 'onload="' not in answer.text
