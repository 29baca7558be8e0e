"""Tests that run a real tracker: which of them run, and the interpreter they do it with.

A test marked `@pytest.mark.tracker("wandb")` gets `tracker_python`, an interpreter that has it.
Those of trackers that are not promised run with `ROAR_TEST_ALL_TRACKERS=1` (`make test-all`), and
are deselected, not skipped, without it; the summary names them.
"""

from __future__ import annotations

import pytest
from tracker_environments import LOCKS, OTHERS, PROMISED

from roar_core.testing.locked_environments import python_or_leave_out
from roar_core.testing.long_tests import LongTests

_OTHERS = LongTests("ROAR_TEST_ALL_TRACKERS")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tracker(name): runs this tracker for real")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _OTHERS.deselect(config, items, lambda item: _tracker(item) in OTHERS)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    _OTHERS.tell(terminalreporter, f"real {', '.join(OTHERS)}")


@pytest.fixture
def tracker_python(request: pytest.FixtureRequest) -> str:
    """The interpreter that has the tracker which the test is marked with, in its locked version."""
    tracker = _tracker(request.node)
    assert tracker in (*PROMISED, *OTHERS), f"no lock file for {tracker}"
    return python_or_leave_out(LOCKS / f"{tracker}.txt")


def _tracker(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("tracker")
    return mark.args[0] if mark else None
