"""Tests with a real Ray, in an environment of its own (see locks/)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_cluster import Cluster, cluster

from roar_core.testing.locked_environments import NotInstallableError, python_with
from roar_core.testing.needs import leave_out

LOCKS = Path(__file__).parent / "locks"


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
