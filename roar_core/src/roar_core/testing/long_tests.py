"""Tests that only `make test-all` runs: elsewhere deselected, not skipped, and named at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pytest


class LongTests(NamedTuple):
    """Those that run only where the environment has this `variable`; a conftest's hooks call it."""

    variable: str

    @property
    def run(self) -> bool:
        """Whether they run."""
        return bool(os.environ.get(self.variable))

    def deselect(
        self,
        config: pytest.Config,
        items: list[pytest.Item],
        is_long: Callable[[pytest.Item], object],
    ) -> int:
        """Take them out of `items`, unless they run; return how many that were."""
        left_out = [] if self.run else [item for item in items if is_long(item)]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]
        return len(left_out)

    def tell(self, reporter: pytest.TerminalReporter, what: str) -> None:
        """Say at the end which were not run, where that is so."""
        if not self.run:
            reporter.line(f"not run: {what}; `make test-all` runs them")
