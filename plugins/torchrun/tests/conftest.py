"""The real torchrun, 200 MB of PyTorch, runs with `ROAR_TEST_ALL_TORCH=1` (`make test-all`).

Without it, its tests are deselected, not skipped, and the summary names them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from roar_core.testing.locked_environments import python_or_leave_out
from roar_core.testing.long_tests import LongTests

LOCK = Path(__file__).parent / "locks" / "torch.txt"
_LONG_TESTS = LongTests("ROAR_TEST_ALL_TORCH")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _LONG_TESTS.deselect(
        config, items, lambda item: "torch_python" in getattr(item, "fixturenames", ())
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    _LONG_TESTS.tell(terminalreporter, "tests of the real torchrun")


@pytest.fixture
def torch_python() -> str:
    """The interpreter of an environment that has PyTorch, in its locked version."""
    return python_or_leave_out(LOCK)
