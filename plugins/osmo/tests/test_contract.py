"""The promises of every backend, kept by OSMO's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from osmo_cluster import FAKE

from roar_core.hookspecs import ExecutionBackend, RunContext
from roar_core.testing.backend import BackendContract
from roar_osmo.backend import OsmoBackend
from roar_osmo.notes import Notes

WORKFLOW = """\
workflow:
  name: contract
  tasks:
  - {name: good, image: i, command: [sh, -c], args: ["echo 1 > {{output}}/one"]}
  - {name: bad, image: i, command: [sh, -c], args: ["exit 3"], inputs: [{task: good}]}
"""


class TestOsmo(BackendContract):
    claimed = ("osmo", "workflow", "submit", "train.yaml")

    @pytest.fixture
    def make_backend(self) -> Callable[[], ExecutionBackend]:
        return OsmoBackend

    @pytest.fixture
    def reported(self, run: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
        """Two tasks, submitted as a run submits them, and run by the synthetic OSMO."""
        programs, own = tmp_path / "programs", os.path.dirname(sys.executable)
        programs.mkdir()
        osmo = programs / "osmo"
        osmo.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
        osmo.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_OSMO", str(tmp_path / "osmo"))
        monkeypatch.setenv("FAKE_OSMO_PATH", f"{own}:/usr/bin:/bin")
        (run.cwd / "train.yaml").write_text(WORKFLOW)
        plan = OsmoBackend().plan(run, os.environ)
        submitted = subprocess.run(plan.argv, cwd=run.cwd, env=plan.environ, capture_output=True)
        assert submitted.returncode == 0, submitted.stderr
        workflow = Notes(run.folder).workflow
        subprocess.run((sys.executable, str(FAKE), "cluster", str(workflow)), check=True)
        # The roar that has submitted has looked once, and has asked nothing.
        assert list(OsmoBackend().collect(run)) == []
        return 2
