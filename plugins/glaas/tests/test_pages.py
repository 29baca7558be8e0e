"""The pages in a real browser: read, walked by keys, attacked; and without a script."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pages_world import (
    HOSTILE,
    WANDB,
    World,
    insert_sweep,
    members,
    register_hostile,
    register_training,
)
from registering import digest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

import roar_glaas
from roar_core.testing.chromium import open_chromium, wait_until_left
from roar_glaas.storage.database import sqlite_address

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry
from drawn import Browser, details, drawn_again, focused, graph, node, nodes, press, status_of

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
    with open_chromium(1280, 900) as browser:
        yield browser


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
    "record": "/log/2",
    "hostile record": "/log/RECORD",
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
  const name = field.getAttribute("aria-label") || field.labels.length;
  if (!name) wrong.push("unnamed " + field.outerHTML);
}
for (const named of document.querySelectorAll("a, button, [role=button]")) {
  const name = named.textContent.trim() || named.getAttribute("aria-label");
  if (!name) wrong.push("unnamed " + named.outerHTML);
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
  if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(2)} of ${element.outerHTML}`);
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


def test_every_page_is_answered_on_both_databases(registry: Registry) -> None:
    first = register_training(registry, 1, "0.1", "c" * 40, "2.3.0")
    register_training(registry, 11, "0.01", "d" * 40, "2.4.1")
    hostile, output = register_hostile(registry)
    there = World(registry, first, first, first, hostile, output)
    for page in PAGES.values():
        answer = registry.client.get(there.address(page))
        assert answer.status_code == (404 if page in ("/dag/zz", "/compare?a=123") else 200), page
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        for active in ("style=", "<script>", 'onload="', "<img"):
            assert active not in answer.text, page


def test_what_may_not_be_seen_is_on_no_page(world: World) -> None:
    hidden = insert_sweep(world.registry, 40_000, 3, 1, "private")
    made = digest("sweep 40000 1")
    client = world.registry.client
    assert client.get(f"/artifacts/{made}").status_code == 200, "that it is registered is told"
    missing_too = client.get(f"/dag/{'0' * 64}")
    assert client.get(f"/dag/{hidden}").text == missing_too.text.replace("0" * 64, hidden)
    pages = {
        f"/dag/{hidden}": 404,
        f"/dag/{hidden}/graph": 404,
        f"/jobs/{40_001:032x}": 404,
        f"/artifacts/{made[:12]}": 404,
        f"/artifacts/{made}": 200,
        f"/artifacts/{made}/recipe": 200,
        f"/artifacts/{made}/recipe/graph": 200,
        f"/artifacts/{made}/uses": 200,
        f"/compare?a={made}&b={made}": 200,
        f"/search?q={hidden[:12]}": 200,
        f"/search?q={40_001:032x}": 200,
        "/search?q=--part%201": 200,
        "/": 200,
    }
    for page, status in pages.items():
        answer = client.get(page)
        assert answer.status_code == status, page
        # Their own question they may read again; nothing besides.
        untold = [one for one in (f"{40_001:032x}", hidden[:12]) if one not in page]
        assert not [one for one in untold if one in answer.text], page
        assert made not in page or "fit.py" not in answer.text, page


def test_whoever_searches_gets_where_they_want(
    look_at: Callable[[str], Browser], world: World
) -> None:
    browser = look_at("/")

    def search(words: str) -> str:
        box = browser.find_element(By.NAME, "q")
        box.clear()
        box.send_keys(words, Keys.ENTER)
        wait_until_left(browser, box)
        return browser.current_url.removeprefix(world.registry.url)

    model = digest("model-0.1.pt")
    assert search(f"blake3:{model[:12].upper()}") == f"/artifacts/{model}"
    assert search(world.session[:10]) == f"/dag/{world.session}"
    assert search(f"{2:032x}") == f"/jobs/{2:032x}?session={world.session}"
    assert search("out/model.pt").startswith("/search?q=out%2Fmodel.pt")
    found = browser.find_elements(By.CSS_SELECTOR, "#files td.wide a")
    assert {link.text for link in found} == {"/home/ada/out/model.pt"}
    search("judge metrics")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#jobs tbody tr")) == 2
    search("key 0=value 0")
    what = browser.find_elements(By.CSS_SELECTOR, "#labels tbody td:first-child")
    assert sorted(cell.text for cell in what) == ["artifact", "job", "session"]
    search("f" * 20)
    assert "No artifact, session or job" in browser.find_element(By.TAG_NAME, "main").text


def test_an_artifact_tells_its_recipe_and_where_to_go_on(
    look_at: Callable[[str], Browser], world: World
) -> None:
    browser = look_at(world.address("/artifacts/MODEL"))
    text = browser.find_element(By.TAG_NAME, "main").text
    for words in (
        *("model.pt", digest("model-0.1.pt"), "--lr 0.1 --epochs 20", "c" * 40),
        *("clean.parquet", "config.toml", "90 of 120 members", "CPython 3.11.2", "Linux 6.1.0"),
        *("3 Python packages", "python judge.py", "proof"),
    ):
        assert words in text
    links = {
        link.text: link.get_attribute("href")
        for link in browser.find_elements(By.CSS_SELECTOR, ".actions a")
    }
    assert links["View in W&B"] == WANDB
    assert "View in MLflow" not in links, "javascript: is no address"
    assert links["View training request"] == f"https://ci.example/requests/{world.session}"
    quoted = "https%3A%2F%2Fgithub.com%2Fteam%2Fdigits"
    run = f"https://ci.example/run?repository={quoted}&of={digest('model-0.1.pt')}"
    assert links["Run"] == run


def test_labels_are_told_in_every_version(look_at: Callable[[str], Browser], world: World) -> None:
    browser = look_at(world.address("/artifacts/MODEL"))
    side = browser.find_element(By.TAG_NAME, "aside")
    assert "released" in side.text
    assert "candidate" not in side.text
    card = browser.find_element(By.LINK_TEXT, "https://example.org/card")
    assert card.get_attribute("rel") == "noopener noreferrer"
    side.find_element(By.TAG_NAME, "summary").click()
    assert "Version 1" in side.text
    assert "candidate" in side.text


def test_a_dataset_tells_its_members_and_every_model_that_used_it(
    look_at: Callable[[str], Browser], world: World
) -> None:
    browser = look_at(world.address("/artifacts/DATASET"))

    def listed() -> list[str]:
        cells = browser.find_elements(By.CSS_SELECTOR, "#members td.wide")
        return [cell.text for cell in cells]

    seen = listed()
    for _ in range(2):
        browser.find_element(By.LINK_TEXT, "More members").click()
        seen += listed()
    assert seen == [leaf.path for leaf in members()]
    for member, answer in (
        (members()[7].digest, "Yes, as train/007.png."),
        ("a" * 64, "No: it is not a member."),
        ("abc", "That is no whole hash"),
    ):
        box = browser.find_element(By.ID, "member")
        box.clear()
        box.send_keys(member, Keys.ENTER)
        told = (By.XPATH, f"//p[contains(@class, 'answer')][contains(., '{answer}')]")
        WebDriverWait(browser, 30).until(lambda found, told=told: found.find_elements(*told))
    browser.find_element(By.LINK_TEXT, "Every model that used it").click()
    results = browser.find_elements(By.CSS_SELECTOR, "section:first-of-type td.wide a")
    models = {digest("model-0.1.pt"), digest("model-0.01.pt")}
    assert {(link.get_attribute("href") or "")[-64:] for link in results} == models


def test_a_comparison_tells_data_steps_and_environment_apart(
    look_at: Callable[[str], Browser], world: World
) -> None:
    browser = look_at("/compare")
    for field, word in (("a", "MODEL"), ("b", "OTHER")):
        browser.find_element(By.ID, field).send_keys(world.address(word)[:12])
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    text = browser.find_element(By.TAG_NAME, "main").text
    assert "1 input, 2 steps and 1 fact of the environment." in text
    gone = [mark.text for mark in browser.find_elements(By.TAG_NAME, "del")]
    come = [mark.text for mark in browser.find_elements(By.TAG_NAME, "ins")]
    assert gone == ["c" * 10, "c" * 10, "0.1"]
    assert come == ["d" * 10, "d" * 10, "0.01"]
    row = browser.find_element(By.XPATH, "//tr[th[.='torch']]")
    assert row.text.split() == ["torch", "2.3.0", "2.4.1"]
    requests = browser.find_elements(By.LINK_TEXT, "View training request")
    assert len({link.get_attribute("href") for link in requests}) == 2


def test_hostile_texts_are_texts(look_at: Callable[[str], Browser], world: World) -> None:
    for page in ("/artifacts/MISCHIEF", f"/jobs/{950:032x}"):
        browser = look_at(world.address(page))
        command = browser.find_element(By.CSS_SELECTOR, "pre.command").text
        shown = [text.replace("\u202e", "\\u202e") for text in HOSTILE]
        assert command == " ".join(shown) + "x" * 10_000
        labels = browser.find_element(By.CSS_SELECTOR, "aside .long dl").text
        assert all(text in labels for text in shown)
        protocols = browser.execute_script(
            "return [...new Set([...document.querySelectorAll('a')].map((a) => a.protocol))].sort()"
        )
        assert protocols == ["http:", "https:"]
        assert "and 2502 more" in browser.find_element(By.TAG_NAME, "aside").text
    browser = look_at(world.address("/dag/HOSTILE"))
    graph(browser)
    names = [node.get_attribute("aria-label") or "" for node in nodes(browser)]
    assert any("<script>" in name for name in names)
    assert not any("\u202e" in name for name in names)
    spare = browser.execute_script(
        "return [...document.querySelectorAll('#graph [data-id] text')].map((text) =>"
        " text.parentNode.querySelector('.box').getBBox().width - text.getBBox().width)"
    )
    assert min(spare) > 0, "long names stay inside of their nodes"


ATTACK = """
const violated = [];
document.addEventListener("securitypolicyviolation", (event) => {
  violated.push(event.effectiveDirective);
});
const done = arguments[0];
const script = document.createElement("script");
script.textContent = "window.owned = 'inline script'";
document.body.append(script);
document.body.insertAdjacentHTML("beforeend",
  "<img src='http://127.0.0.1:9/x.png' onerror='window.owned = 1'>" +
  "<style>body { color: red }</style><p style='color: red'></p>" +
  "<iframe src='http://127.0.0.1:9/'></iframe>" +
  "<form id='evil' action='http://127.0.0.1:9/'></form>");
fetch("http://127.0.0.1:9/").catch(() => {});
document.getElementById("evil").submit();
setTimeout(() => done([window.owned ?? null, [...new Set(violated)].sort()]), 300);
"""


def test_nothing_smuggled_into_a_page_runs_or_sends(chromium: Browser, world: World) -> None:
    chromium.get(world.registry.url + world.address("/artifacts/MODEL"))
    owned, violated = chromium.execute_async_script(ATTACK)
    assert owned is None
    assert set(violated) >= {
        *("connect-src", "form-action", "frame-src", "img-src"),
        *("script-src-elem", "style-src-attr", "style-src-elem"),
    }
    assert chromium.current_url.startswith(world.registry.url)
    chromium.get_log("browser")


def test_500_jobs_are_drawn_and_walked_by_keys(
    look_at: Callable[[str], Browser], world: World
) -> None:
    browser = look_at(world.address("/dag/SWEEP"))
    graph(browser)
    assert status_of(browser) == "500 nodes"
    assert len(nodes(browser)) == 500
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('#graph .box')].map((box) => {"
        " const { x, y, height } = box.getBoundingClientRect(); return [x, y, height]; })"
    )
    for (x, y, height), (x2, y2, _) in pairwise(sorted(boxes)):
        assert x2 - x > 1 or y2 >= y + height - 1, "no node covers another"
    search = browser.find_element(By.CSS_SELECTOR, "#graph input[type=search]")
    search.send_keys("--part 260", Keys.ENTER)
    assert status_of(browser) == "1 of 500 nodes"
    assert details(browser).startswith("×\n@261 python")
    press(browser, Keys.ESCAPE)
    assert focused(browser).startswith("job, @261")
    press(browser, Keys.ARROW_RIGHT)
    assert focused(browser).startswith("job, @286"), "which read what @261 wrote"
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert focused(browser).startswith("job, @236")
    press(browser, Keys.ARROW_DOWN)
    below = focused(browser)
    assert below != ""
    assert not below.startswith("job, @236")
    press(browser, Keys.ENTER)
    assert details(browser).startswith("×\n@")
    assert browser.switch_to.active_element.tag_name == "h2"
    press(browser, Keys.ESCAPE)
    assert focused(browser) == below, "where one was before"
    assert not browser.find_element(By.CSS_SELECTOR, "#graph .details").is_displayed()
    press(browser, Keys.HOME)
    assert focused(browser).startswith("job, @1 ")
    stage, box = (
        browser.find_element(By.CSS_SELECTOR, css).rect for css in ("#graph svg", ":focus")
    )
    assert stage["x"] <= box["x"] < stage["x"] + stage["width"], "what has the focus is in view"


def test_beyond_500_jobs_those_alike_are_folded_and_open_again(
    look_at: Callable[[str], Browser], world: World
) -> None:
    browser = look_at(world.address("/dag/BEYOND"))
    graph(browser)
    total, groups = map(int, re.findall(r"\d+", status_of(browser)))
    assert groups > 0
    assert len(nodes(browser)) == total <= 500
    at_first = total
    browser.find_element(By.CSS_SELECTOR, "#graph [data-act=fit]").click()
    press(browser, Keys.TAB, Keys.HOME)
    assert focused(browser).startswith("group, ")
    size = int(focused(browser).split()[1])
    press(browser, Keys.ENTER)
    assert f"JOBS ({size})" in details(browser).upper()
    opener = browser.find_element(By.XPATH, "//section[@id='graph']//button[.='Open the group']")
    drawn_again(browser, opener.click)
    assert len(nodes(browser)) == at_first + size - 1
    assert focused(browser).startswith("job, @")
    press(browser, Keys.ENTER)
    closer = browser.find_element(By.XPATH, "//button[.='Fold the group again']")
    drawn_again(browser, closer.click)
    assert len(nodes(browser)) == at_first


def test_files_are_drawn_between_the_jobs_when_wanted(
    look_at: Callable[[str], Browser], world: World
) -> None:
    browser = look_at(world.address("/dag/SESSION"))
    graph(browser)
    assert len(nodes(browser)) == 11
    node(browser, "file, model.pt").click()
    told = details(browser)
    assert "@2 python train.py" in told
    assert "@3 python judge.py" in told
    box = browser.find_element(By.CSS_SELECTOR, "#graph input[type=checkbox]")
    drawn_again(browser, box.click)
    assert len(nodes(browser)) == 4
    node(browser, "job, @3 python judge.py, failed").click()
    browser.find_element(By.LINK_TEXT, "@3 python judge.py").click()
    assert browser.find_element(By.TAG_NAME, "h1").text == "python judge.py"


def test_without_the_bundle_graphs_are_listed_and_the_log_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    package, left_out = Path(roar_glaas.__file__).parent, ("_built", "__pycache__")
    shutil.copytree(package, tmp_path / "src/roar_glaas", ignore=shutil.ignore_patterns(*left_out))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"), prepend=os.pathsep)
    command = [sys.executable, "-m", "roar_glaas.cli", "serve", "--port", "0"]
    command += ["--data", str(world.registry.data), "--database", world.registry.database_url]
    process = subprocess.Popen(command, text=True, stderr=subprocess.PIPE)
    assert process.stderr is not None
    url = process.stderr.readline().rpartition(" at ")[2].strip()
    for _ in range(2):
        answer = httpx.get(url + world.address("/dag/SESSION"), timeout=30)
        assert "The graph is not drawn" in answer.text
        assert "python train.py" in answer.text
        assert "<script" not in answer.text
    assert httpx.get(f"{url}/built/graph.js").status_code == 404
    process.terminate()
    _, told = process.communicate(timeout=30)
    assert told.count("graphs are listed, not drawn") == 1
