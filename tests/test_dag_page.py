"""The page of `roar dag --html`, in a real browser: looked at, clicked, typed into, attacked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from blake3 import blake3
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.common.print_page_options import PrintOptions
from selenium.webdriver.remote.webelement import WebElement

from roar_core.model.job import Edge, Job
from roar_core.model.tracker import TrackerReference
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.testing.chromium import open_chromium
from roar_core.testing.projects import ProjectUnderTest

pytestmark = pytest.mark.needs("chromium")
Browser = webdriver.Chrome


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a worker: it starts in a second."""
    with open_chromium(1200, 800) as browser:
        yield browser


@pytest.fixture
def look_at(chromium: Browser) -> Iterator[Callable[[Path], Browser]]:
    """Opens a page; afterwards fails if it complained, or asked for anything but itself."""
    opened: list[str] = []
    chromium.get_log("browser")
    chromium.get_log("performance")

    def look(page: Path) -> Browser:
        opened.append(page.as_uri())
        chromium.get(page.as_uri())
        return chromium

    yield look
    assert chromium.get_log("browser") == []
    told = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in told
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert asked == opened


@pytest.fixture
def pipeline(project: ProjectUnderTest) -> ProjectUnderTest:
    """Three steps, each reading what the one before it wrote; in git."""
    project.write("in.txt", "1")
    project.shell(
        "git init -q; git add in.txt; git -c user.name=x -c user.email=x@y commit -qm first"
    )
    for source, target in (("in.txt", "a.txt"), ("a.txt", "b.txt")):
        project.run("sh", "-c", f"cat {source}; cat {source} {source} > {target}")
    project.roar("run", "-n", "train", "--", "sh", "-c", "cat b.txt a.txt > model.bin; exit 3")
    return project


def page_of(project: ProjectUnderTest, *options: str) -> Path:
    result = project.roar("dag", "--html", "dag.html", *options)
    assert result.exit_code == 0, result.stderr
    return project.root / "dag.html"


def node(browser: Browser, beginning: str) -> WebElement:
    """The node whose label, for those who listen, begins so."""
    return browser.find_element(By.CSS_SELECTOR, f'[data-id][aria-label^="{beginning}"]')


def nodes(browser: Browser) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, "[data-id]")


def details(browser: Browser) -> str:
    return browser.find_element(By.ID, "details").text


def transform(browser: Browser) -> str:
    found = browser.find_element(By.CSS_SELECTOR, "svg > g").get_attribute("transform")
    assert found
    return found


def scale(browser: Browser) -> float:
    return float(transform(browser).split("scale(")[1].rstrip(")"))


def focused(browser: Browser) -> str:
    return browser.switch_to.active_element.get_attribute("aria-label") or ""


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def test_a_click_tells_everything_about_a_job(
    pipeline: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    browser = look_at(page_of(pipeline))
    assert len(nodes(browser)) == 3
    assert len(browser.find_elements(By.CSS_SELECTOR, "path.edge")) == 3
    assert not browser.find_element(By.ID, "details").is_displayed()
    node(browser, "step, @3 train").click()
    told, job = details(browser), pipeline.json("show", "@3")
    assert told.startswith("×\ntrain")
    for words in (
        "sh -c 'cat b.txt a.txt > model.bin; exit 3'",
        "failed with exit code 3",
        job["git"]["commit"][:12],
        "coverage\ncomplete",
        job["environment"]["arch"],
        job["uid"],
        job["hash"],
        "inputs (2)",
        "outputs (1)",
        *(edge["relative"] for edge in (*job["inputs"], *job["outputs"])),
        *(edge["hash"] for edge in (*job["inputs"], *job["outputs"])),
    ):
        assert words in told
    assert "coreutils" in told, "packages"
    browser.find_element(By.CSS_SELECTOR, ".close").click()
    assert not browser.find_element(By.ID, "details").is_displayed()


def test_links_lead_from_job_to_artifact_to_its_writer(
    pipeline: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    browser = look_at(page_of(pipeline))
    node(browser, "step, @3").click()
    browser.find_element(By.XPATH, "//aside//button[.='b.txt']").click()
    told = details(browser)
    assert told.startswith("×\nb.txt")
    assert "written by (1)" in told
    assert "read by (1)" in told
    assert pipeline.json("show", "b.txt")["hash"] in told
    browser.find_element(By.XPATH, "//aside//button[starts-with(., '@2')]").click()
    assert details(browser).startswith("×\nsh -c 'cat a.txt")
    assert "chosen" in (node(browser, "step, @2").get_attribute("class") or "")


def test_artifacts_are_drawn_between_the_jobs_when_wanted(
    pipeline: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    browser = look_at(page_of(pipeline))
    browser.find_element(By.ID, "artifacts").click()
    assert len(nodes(browser)) == 7
    node(browser, "artifact, model.bin").click()
    assert details(browser).startswith("×\nmodel.bin")
    assert len(nodes(look_at(page_of(pipeline, "--show-artifacts")))) == 7


def test_search_counts_dims_and_goes_to_what_it_finds(
    pipeline: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    browser = look_at(page_of(pipeline, "--show-artifacts"))
    digest = pipeline.json("show", "model.bin")["hash"].removeprefix("blake3:")
    for words, number in (("model.bin", 2), (digest[:20].upper(), 1), ("cat A.TXT", 3), ("no", 0)):
        box = browser.find_element(By.ID, "search")
        box.clear()
        box.send_keys(words)
        assert browser.find_element(By.ID, "found").text == f"{number} of 7"
        assert len(browser.find_elements(By.CSS_SELECTOR, ".hit")) == number
        assert len(browser.find_elements(By.CSS_SELECTOR, ".dim")) == 7 - number
    box.clear()
    box.send_keys("model.bin", Keys.ENTER)
    assert details(browser).startswith("×\ntrain")
    box.send_keys(Keys.ENTER)
    assert details(browser).startswith("×\nmodel.bin")
    box.send_keys(Keys.ENTER)
    assert details(browser).startswith("×\ntrain"), "after the last comes the first"


def test_the_graph_zooms_and_moves(
    pipeline: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    browser = look_at(page_of(pipeline))
    svg = browser.find_element(By.TAG_NAME, "svg")
    fitted, at_first = transform(browser), scale(browser)
    origin = webdriver.common.actions.wheel_input.ScrollOrigin.from_element(svg, 300, 100)
    before = node(browser, "step, @1").rect
    ActionChains(browser).scroll_from_origin(origin, 0, -240).perform()
    near = scale(browser)
    assert near > at_first
    assert node(browser, "step, @1").rect["width"] > before["width"]
    ActionChains(browser).scroll_from_origin(origin, 0, 400).perform()
    assert scale(browser) < near
    browser.find_element(By.ID, "in").click()
    browser.find_element(By.ID, "fit").click()
    assert transform(browser) == fitted
    x = node(browser, "step, @1").rect["x"]
    ActionChains(browser).move_to_element_with_offset(svg, 0, 200).click_and_hold().move_by_offset(
        60, -80
    ).release().perform()
    assert scale(browser) == at_first
    assert node(browser, "step, @1").rect["x"] == pytest.approx(x + 60, abs=1)
    start = node(browser, "step, @2")
    ActionChains(browser).drag_and_drop_by_offset(start, 40, 30).perform()
    assert not browser.find_element(By.ID, "details").is_displayed(), "a drag is no click"
    browser.execute_script(
        "arguments[0].dispatchEvent(new MouseEvent('click', { bubbles: true }))", start
    )
    assert browser.find_element(By.ID, "details").is_displayed(), "as a screen reader clicks"


def test_everything_goes_by_keys_alone(
    pipeline: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    browser = look_at(page_of(pipeline))
    press(browser, "/")
    assert focused(browser) == "Search"
    for _ in range(5):
        press(browser, Keys.TAB)
    assert focused(browser).startswith("step, @3"), "the newest step, after the tools"
    press(browser, Keys.ARROW_LEFT)
    assert focused(browser).startswith(("step, @2", "step, @1"))
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert focused(browser).startswith("step, @1")
    press(browser, Keys.ENTER)
    assert details(browser).startswith("×\nsh -c 'cat in.txt")
    assert browser.switch_to.active_element.tag_name == "h2"
    press(browser, Keys.ESCAPE)
    assert not browser.find_element(By.ID, "details").is_displayed()
    assert focused(browser).startswith("step, @1"), "where one was before"
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    press(browser, Keys.TAB)
    assert focused(browser).startswith("step, @1"), "and Tab leads back there"
    at_first = scale(browser)
    press(browser, "+", "+")
    assert scale(browser) > at_first
    press(browser, "0")
    assert scale(browser) <= 1


HOSTILE = (
    "<script>document.title = 'owned'<>script>",
    "<img src=x onerror=document.title='owned'>",
    '"]]>',
    "a\nb",
    "abc\u202ecba",
    "&lt;b&gt;",
    "</script><script>document.title='owned'</script>".replace("/", "\u2215"),
    os.fsdecode(b"bad\xff"),
)


def test_hostile_names_are_text(
    project: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    for name in HOSTILE:
        project.write(name, name.encode("utf-8", "surrogateescape"))
    project.roar("run", "-n", "</script><b>", "--", "cat", *HOSTILE)
    project.roar("run", "--", "sh", "-c", "true", "</script><!--" + "x" * 10_000)
    browser = look_at(page_of(project, "--show-artifacts"))
    assert browser.title.startswith("project, session 1")
    labels = [found.get_attribute("aria-label") or "" for found in nodes(browser)]
    for words in (
        "document.title='owned'>",
        '"]]>',
        "a\\nb",
        "abc\\u202ecba",
        "&lt;b&gt;",
        "bad\\xff",
    ):
        assert any(words in label for label in labels), words
    assert not any("\u202e" in label for label in labels)
    assert not browser.find_elements(By.CSS_SELECTOR, "img, b, iframe")
    node(browser, "step, @1 </script><b>").click()
    assert HOSTILE[0] in details(browser)
    node(browser, "step, @2").click()
    assert "x" * 10_000 in details(browser)
    box = node(browser, "step, @2").rect
    text = max(t.rect["width"] for t in browser.find_elements(By.CSS_SELECTOR, ".heading"))
    assert text < box["width"], "long names stay inside of their nodes"
    panel = browser.find_element(By.ID, "details")
    assert panel.get_property("scrollWidth") == panel.get_property("clientWidth")


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
  "<style>body { color: red }</style>" +
  "<iframe src='http://127.0.0.1:9/'></iframe><form action='http://127.0.0.1:9/'></form>");
fetch("http://127.0.0.1:9/").catch(() => {});
document.forms[0].submit();
setTimeout(() => done([window.owned ?? null, [...new Set(violated)].sort()]), 300);
"""


def test_nothing_smuggled_into_the_page_runs_or_sends(
    pipeline: ProjectUnderTest, chromium: Browser
) -> None:
    chromium.get(page_of(pipeline).as_uri())
    chromium.get_log("performance")
    owned, violated = chromium.execute_async_script(ATTACK)
    assert owned is None
    assert {"connect-src", "img-src", "script-src-elem", "style-src-elem", "form-action"} <= set(
        violated
    )
    policy = chromium.find_element(By.CSS_SELECTOR, "meta[http-equiv]").get_attribute("content")
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert chromium.current_url.startswith("file:")
    chromium.get_log("browser")


def record(store: Store, root: Path, name: str, reads: list[str], **outcome: Any) -> None:
    """A job that reads these files and writes the one called `name`, each with its name in it."""

    def edge(path: str) -> Edge:
        content = path.encode()
        return Edge(f"{root}/{path}", len(content), {"blake3": blake3(content).hexdigest()})

    project = str(root)
    begun = store.begin(
        Job(os.urandom(16).hex(), "run", ("make", name), project, project, "running", 10**18),
        owner=Owner.current(),
    )
    fields: dict[str, Any] = {
        "state": "succeeded",
        "exit_code": 0,
        "duration_s": 1.0,
        "inputs": tuple(map(edge, reads)),
        "outputs": (edge(name),),
    }
    store.complete(attrs.evolve(begun, **fields | outcome))


def test_only_web_addresses_of_trackers_are_links(
    project: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    urls = (
        "https://wandb.ai/team/run",
        "http://localhost:5000/",
        "javascript:document.title='owned'",
        "data:text/html,owned",
        "file:///etc/passwd",
        "not an address",
    )
    trackers = tuple(
        TrackerReference("tracker", url=url, title=f"T{n}") for n, url in enumerate(urls)
    )
    with Store.open(project.root / ".roar", create=True) as store:
        record(store, project.root, "model", [], trackers=trackers)
    browser = look_at(page_of(project))
    node(browser, "step, @1").click()
    links = browser.find_elements(By.CSS_SELECTOR, "#details a")
    assert [(link.text, link.get_attribute("href")) for link in links] == [
        ("View in T0", urls[0]),
        ("View in T1", urls[1]),
    ]
    assert all(link.get_attribute("rel") == "noopener noreferrer" for link in links)
    assert "View in T2: javascript:document.title='owned'" in details(browser)


def overlaps(browser: Browser) -> int:
    """How many pairs of nodes cover each other."""
    boxes = browser.execute_script(
        r"""return [...document.querySelectorAll("[data-id]")].map((element) => {
          const [x, y] = element.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
          return [x, y, Number(element.firstChild.getAttribute("height"))];
        })"""
    )
    return sum(
        x == x2 and y2 < y + height for (x, y, height), (x2, y2, _) in pairwise(sorted(boxes))
    )


def test_a_thousand_steps_are_drawn_and_found(
    project: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    with Store.open(project.root / ".roar", create=True) as store:
        for n in range(1000):
            reads = [f"out{n - back}" for back in (1, 7, 40) if n >= back and n % 10]
            record(store, project.root, f"out{n}", reads)
    browser = look_at(page_of(project))
    assert len(nodes(browser)) == 1000
    assert overlaps(browser) == 0
    browser.find_element(By.ID, "search").send_keys("out777", Keys.ENTER)
    assert details(browser).startswith("×\nmake out777")
    found = node(browser, "step, @778 ").rect
    panel = browser.find_element(By.TAG_NAME, "main").rect
    assert 0 <= found["x"] <= panel["width"], "what is found comes into view"


def test_a_chain_of_two_thousand_steps_does_not_overflow(
    project: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    with Store.open(project.root / ".roar", create=True) as store:
        for n in range(2000):
            record(store, project.root, f"f{n}", [f"f{n - 1}"] if n else [])
    browser = look_at(page_of(project))
    assert len(nodes(browser)) == 2000
    assert "NaN" not in browser.find_element(By.CSS_SELECTOR, "svg > g").get_attribute("innerHTML")


def test_steps_that_read_from_each_other_are_drawn(
    project: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    """A rerun with the same result closes a circle: @1 reads what @2 made of @1's output."""
    project.write("a", "first")
    one = ("sh", "-c", "cat a; echo same > b")
    project.run(*one)
    project.run("sh", "-c", "cat b; echo again > a")
    project.run(*one)
    ties = {(edge["from"], edge["to"]) for edge in project.json("dag")["edges"]}
    assert ties == {("@1", "@2"), ("@2", "@1")}
    for options in ((), ("--show-artifacts",)):
        browser = look_at(page_of(project, *options))
        assert len(nodes(browser)) == (4 if options else 2)
        assert overlaps(browser) == 0


def test_dark_where_the_reader_wants_it_dark_and_light_on_paper(
    pipeline: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    browser = look_at(page_of(pipeline))

    def colour(media: str, scheme: str) -> str:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": media, "features": [feature]}
        )
        body = browser.find_element(By.TAG_NAME, "body")
        return body.value_of_css_property("background-color")

    assert colour("screen", "light") == "rgba(255, 255, 255, 1)"
    assert colour("screen", "dark") != "rgba(255, 255, 255, 1)"
    assert colour("print", "dark") == "rgba(255, 255, 255, 1)"
    assert not browser.find_element(By.ID, "search").is_displayed()
    box = browser.find_element(By.CSS_SELECTOR, ".node rect")
    on_paper = box.value_of_css_property("fill")
    assert colour("screen", "light")
    assert box.value_of_css_property("fill") == on_paper
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_printing_shows_all_of_the_graph_and_leaves_the_view_as_it_was(
    pipeline: ProjectUnderTest, look_at: Callable[[Path], Browser]
) -> None:
    browser = look_at(page_of(pipeline))
    press(browser, "+", "+", "+", "+", "+", "+")
    before = transform(browser)
    browser.execute_script(
        "addEventListener('beforeprint', () => { window.printed ="
        " document.querySelector('svg').getAttribute('viewBox') })"
    )
    assert browser.print_page(PrintOptions())
    box = [float(part) for part in browser.execute_script("return window.printed").split()]
    assert box[2] > 3 * 250, "three columns of nodes"
    assert transform(browser) == before
