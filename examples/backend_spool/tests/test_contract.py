"""The promises of every backend, kept by the spool."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from roar_backend_spool.backend import SpoolBackend

from roar_core.hookspecs import ExecutionBackend, RunContext
from roar_core.testing.backend import BackendContract


class TestSpool(BackendContract):
    claimed = ("spool", "submit", "--", "true")
    added_variables = frozenset({"SPOOL_REPORT", "SPOOL_PROJECT"})

    @pytest.fixture
    def make_backend(self) -> Callable[[], ExecutionBackend]:
        return SpoolBackend

    @pytest.fixture
    def reported(self, run: RunContext, tmp_path: Path) -> int:
        """Two tasks, one of them in two attempts, run by a real worker."""
        queue = str(tmp_path / "contract.spool")
        spool = (sys.executable, "-m", "roar_backend_spool")
        worker = subprocess.Popen((*spool, "work", "--spool", queue), stdin=subprocess.DEVNULL)
        try:
            for retries, command, code in (("0", "true", 0), ("1", "false", 1)):
                words = ("--spool", queue, "--report", str(run.folder), "--retries", retries)
                done = subprocess.run((*spool, "submit", *words, command), check=False)
                assert done.returncode == code
        finally:
            worker.kill()
            worker.wait()
        return 2
