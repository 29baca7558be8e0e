"""Pytest fixtures for everybody who tests roar or a plugin of it.

Ours load it by `-p roar_core.testing.fixtures`; a stranger writes, in the top `conftest.py`,
`pytest_plugins = ["roar_core.testing.fixtures"]`, and installs `roar-core[testing]`.

    def test_copies_are_seen(project):
        project.write("a.txt", "hello")
        result = project.run("cp", "a.txt", "b.txt")
        assert (result.reads, result.writes) == ({"a.txt"}, {"b.txt"})
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roar_core.testing.forking import Forking, new_forking_roar
from roar_core.testing.needs import leave_out, missing
from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

if TYPE_CHECKING:
    from roar_core.testing.programs.building import Workshop


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known where `--strict-markers` is on; have commands start as from a shell."""
    config.addinivalue_line(
        "markers", "needs(*what): what the test cannot do without; see roar_core.testing.needs"
    )
    # A job in the background of a script ignores these, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose needs are not met, saying why; under `ROAR_TEST_EVERYTHING` fail it."""
    for mark in item.iter_markers("needs"):
        for reason in filter(None, map(missing, mark.args)):
            leave_out(reason)


@pytest.fixture
def install_plugin(tmp_path: Path) -> InstalledPlugins:
    """Installs plugins for the commands of `project` only; see `InstalledPlugins.__call__`."""
    return InstalledPlugins(tmp_path / "site")


@pytest.fixture(scope="session")
def forking_roar() -> Iterator[Forking]:
    """What the commands of `project` are forked from.

    Of the session, so that it is there before a test is looked at for what it leaves behind.
    """
    forking = new_forking_roar()
    yield forking
    forking.close()


@pytest.fixture
def project(
    tmp_path: Path, install_plugin: InstalledPlugins, forking_roar: Forking
) -> Iterator[ProjectUnderTest]:
    """An empty project with a home of its own, in which real `roar` commands run."""
    root = tmp_path / "project"
    (root / ".roar").mkdir(parents=True)
    home = tmp_path / "home"
    home.mkdir()
    made = ProjectUnderTest(root, home, install_plugin, forking=forking_roar)
    yield made
    made.kill_started()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Compiles the small programs of `TracerContract`, once for all its tests."""
    from roar_core.testing.programs import PROGRAMS
    from roar_core.testing.programs.building import Workshop

    return Workshop(tmp_path_factory.mktemp("programs"), PROGRAMS)


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaks environment variables, descriptors or log handlers into the next."""
    before = _process_state()
    yield
    after = _process_state()
    for what, was in before.items():
        assert after[what] == was, f"the test changed the process's {what} and did not restore them"


def _process_state() -> dict[str, object]:
    variables = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    # pytest's own log capture comes and goes with the phase of the test.
    handlers = [
        h for h in logging.getLogger().handlers if not type(h).__module__.startswith("_pytest")
    ]
    return {"variables": variables, "descriptors": _descriptors(), "log handlers": handlers}


def _descriptors() -> dict[str, str]:
    found = {}
    for number in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:  # noqa: PTH112, PTH208 - twice a test
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - text, not a path
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found
