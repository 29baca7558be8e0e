"""Tests that run a real tracker: which of them run, and the interpreter they do it with.

A test marked `@pytest.mark.tracker("wandb")` gets `tracker_python`, an interpreter that has it.
Those of trackers that are not promised run with `ROAR_TEST_ALL_TRACKERS=1` (`make test-all`), and
are deselected, not skipped, without it; the summary names them.
"""

from __future__ import annotations

import os

import pytest
from tracker_environments import OTHERS, PROMISED, python_with

from roar_core.testing.locked_environments import NotInstallableError
from roar_core.testing.needs import leave_out


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tracker(name): runs this tracker for real")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _runs_all():
        return
    left_out = [item for item in items if _tracker(item) in OTHERS]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _runs_all():
        terminalreporter.line(f"not run: real {', '.join(OTHERS)}; `make test-all` runs them")


@pytest.fixture
def tracker_python(request: pytest.FixtureRequest) -> str:
    """The interpreter that has the tracker which the test is marked with, in its locked version."""
    tracker = _tracker(request.node)
    assert tracker in (*PROMISED, *OTHERS), f"no lock file for {tracker}"
    try:
        return python_with(tracker)
    except NotInstallableError as error:
        leave_out(f"{tracker} could not be installed: {error}")


def _tracker(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("tracker")
    return mark.args[0] if mark else None


def _runs_all() -> bool:
    return bool(os.environ.get("ROAR_TEST_ALL_TRACKERS"))
