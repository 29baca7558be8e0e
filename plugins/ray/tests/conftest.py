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

from roar_core.testing.locked_environments import NotInstallableError, python_with
from roar_core.testing.needs import leave_out

LOCKS = Path(__file__).parent / "locks"
_LIBRARIES, _LONG = "ray_libraries", "long"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{_LIBRARIES}: runs Ray's Data, Train and Tune for real")
    config.addinivalue_line("markers", f"{_LONG}(what): takes a minute of a real cluster")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _runs_all():
        return
    marks = {_LIBRARIES, _LONG}
    left_out = [item for item in items if marks & {mark.name for mark in item.iter_markers()}]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _runs_all():
        what = "Ray Data, Train and Tune, submitted jobs, nodes that die"
        terminalreporter.line(f"not run: {what}; `make test-all` runs them")


def _runs_all() -> bool:
    return bool(os.environ.get("ROAR_TEST_ALL_RAY"))


@pytest.fixture(scope="session")
def ray_python() -> str:
    """The interpreter that has Ray."""
    return _locked("ray")


@pytest.fixture(scope="session")
def ray_libraries_python() -> str:
    """The interpreter that has its libraries, too."""
    return _locked("ray-libraries")


def _locked(name: str) -> str:
    try:
        return python_with(LOCKS / f"{name}.txt")
    except NotInstallableError as error:
        leave_out(f"{name} could not be installed: {error}")


@pytest.fixture(scope="session")
def ray_cluster(ray_python: str) -> Iterator[Cluster]:
    """One node, shared by all tests: whatever runs there is a job of its own."""
    with cluster(ray_python) as running:
        yield running
