"""Tests with a real Ray, in an environment of its own (see locks/).

Those marked `long` run with `ROAR_TEST_ALL_RAY=1` (`make test-all`), and are deselected, not
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
_LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long(what): a minute of a real Ray, for this")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _runs_all():
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
        config.stash[_LEFT_OUT] = sorted(
            {mark.args[0] for item in left_out for mark in item.iter_markers("long")}
        )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if names := config.stash.get(_LEFT_OUT, []):
        terminalreporter.line(f"not run: Ray with {', '.join(names)}; `make test-all` runs them")


def _runs_all() -> bool:
    return bool(os.environ.get("ROAR_TEST_ALL_RAY"))


@pytest.fixture(scope="session")
def ray_python() -> str:
    """The interpreter that has Ray."""
    try:
        return python_with(LOCKS / "ray.txt")
    except NotInstallableError as error:
        leave_out(f"ray could not be installed: {error}")


@pytest.fixture(scope="session")
def ray_cluster(ray_python: str) -> Iterator[Cluster]:
    """One node, shared by all tests: whatever runs there is a job of its own."""
    with cluster(ray_python) as running:
        yield running
