"""The graph on a page, as a person sees it and walks it by keys."""

from __future__ import annotations

from collections.abc import Callable

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

Browser = webdriver.Chrome


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


def status_of(browser: Browser) -> str:
    return browser.find_element(By.CSS_SELECTOR, "#graph [role=status]").text
