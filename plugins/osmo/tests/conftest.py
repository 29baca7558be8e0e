"""An OSMO of this machine's own, on the PATH of a project's commands.

Tests marked `thorough` look at what others have looked at from another side; they run with
`ROAR_TEST_ALL_OSMO=1` (`make test-all`), and are deselected, not skipped, without it; the summary
counts them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from osmo_cluster import FAKE, Cluster

from roar_core.testing.long_tests import LongTests
from roar_core.testing.projects import ProjectUnderTest

_THOROUGH = LongTests("ROAR_TEST_ALL_OSMO")
_LEFT_OUT = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thorough: runs with `make test-all`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    count = _THOROUGH.deselect(config, items, lambda item: item.get_closest_marker("thorough"))
    config.stash[_LEFT_OUT] = count


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if count := config.stash.get(_LEFT_OUT, 0):
        _THOROUGH.tell(terminalreporter, f"{count} thorough tests of OSMO")


@pytest.fixture
def cluster(project: ProjectUnderTest, tmp_path: Path) -> Cluster:
    folder, programs = tmp_path / "osmo", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    osmo = programs / "osmo"
    osmo.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    osmo.chmod(0o755)
    own = os.path.dirname(sys.executable)
    path = project.environment()["PATH"]
    project.environ |= {
        "PATH": f"{programs}:{path}",
        "FAKE_OSMO": str(folder),
        "FAKE_OSMO_PATH": f"{own}:/usr/bin:/bin",
    }
    return Cluster(project, folder)
