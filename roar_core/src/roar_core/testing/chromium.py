"""A real browser for tests of pages. Needs Selenium beside what `roar-core[testing]` installs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from roar_core.testing.needs import leave_out, missing

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


@contextmanager
def open_chromium(width: int, height: int) -> Iterator[Chrome]:
    """Chromium without a screen, in a window of so many pixels; it logs what pages do and ask for.

    Leaves the running test out where Chromium or its driver is missing.
    """
    if reason := missing("chromium"):
        leave_out(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    arguments = ["--headless=new", f"--window-size={width},{height}", "--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium refuses root otherwise
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The driver of the distribution: without its path, Selenium would look for one to download.
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def wait_until_left(browser: Chrome, element: WebElement) -> None:
    """Wait until the page that `element` was on is gone; raises TimeoutException after a minute."""
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.support.expected_conditions import staleness_of
    from selenium.webdriver.support.wait import WebDriverWait

    # While a page goes, the driver now and then has no word for its elements but "unknown error".
    waiting = WebDriverWait(browser, 60, ignored_exceptions=[WebDriverException])
    waiting.until(staleness_of(element))
