"""Tests with a real Ray, in an environment of its own (see locks/).

Those marked `ray_libraries` need Ray's libraries too, 700 MB, and those marked `long` a minute of
a cluster each: they run with `ROAR_TEST_ALL_RAY=1` (`make test-all`), and are deselected, not
skipped, without it; the summary names them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_cluster import Cluster, cluster

from roar_core.testing.locked_environments import python_or_leave_out
from roar_core.testing.long_tests import LongTests

LOCKS = Path(__file__).parent / "locks"
_LIBRARIES, _LONG = "ray_libraries", "long"
_LONG_TESTS = LongTests("ROAR_TEST_ALL_RAY")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{_LIBRARIES}: runs Ray's Data, Train and Tune for real")
    config.addinivalue_line("markers", f"{_LONG}(what): takes a minute of a real cluster")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marks = {_LIBRARIES, _LONG}
    _LONG_TESTS.deselect(config, items, lambda item: marks & {m.name for m in item.iter_markers()})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    what = "Ray Data, Train and Tune, submitted jobs, Ray Client, uv, nodes that die or are apart"
    _LONG_TESTS.tell(terminalreporter, what)


@pytest.fixture(scope="session")
def ray_python() -> str:
    """The interpreter that has Ray; another version's when ROAR_TEST_RAY_PYTHON names one."""
    return os.environ.get("ROAR_TEST_RAY_PYTHON") or python_or_leave_out(LOCKS / "ray.txt")


@pytest.fixture(scope="session")
def ray_libraries_python() -> str:
    """The interpreter that has its libraries, too; another's as ROAR_TEST_RAY_LIBRARIES says."""
    return os.environ.get("ROAR_TEST_RAY_LIBRARIES") or python_or_leave_out(
        LOCKS / "ray-libraries.txt"
    )


@pytest.fixture(scope="session")
def ray_cluster(ray_python: str) -> Iterator[Cluster]:
    """One node, shared by all tests: whatever runs there is a job of its own."""
    with cluster(ray_python) as running:
        yield running
