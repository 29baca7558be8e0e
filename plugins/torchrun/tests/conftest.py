"""The real torchrun, 200 MB of PyTorch, runs with `ROAR_TEST_ALL_TORCH=1` (`make test-all`).

Without it, its tests are deselected, not skipped, and the summary names them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roar_core.testing.locked_environments import NotInstallableError, python_with
from roar_core.testing.needs import leave_out

LOCK = Path(__file__).parent / "locks" / "torch.txt"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not _runs_all():
        left_out = [item for item in items if "torch_python" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _runs_all():
        terminalreporter.line("not run: the real torchrun; `make test-all` runs it")


@pytest.fixture
def torch_python() -> str:
    """The interpreter of an environment that has PyTorch, in its locked version."""
    try:
        return python_with(LOCK)
    except NotInstallableError as error:
        leave_out(f"PyTorch could not be installed: {error}")


def _runs_all() -> bool:
    return bool(os.environ.get("ROAR_TEST_ALL_TORCH"))
