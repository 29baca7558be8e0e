"""roar's fixtures: `project` runs real roar commands. And a Slurm, on PATH and with a daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import fake_slurm
import pytest

pytest_plugins = ["roar_core.testing.fixtures"]


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a user of the cluster has in his environment: PATH, and where the daemon is found."""
    fake_slurm.install(tmp_path / "slurm")
    state = tmp_path / "state"
    given = {
        "PATH": f"{tmp_path}/slurm{os.pathsep}{os.environ['PATH']}",
        "FAKE_SLURM": str(state),
    }
    null = subprocess.DEVNULL
    daemon = subprocess.Popen(
        ["slurmd"], env=os.environ | given, stdin=null, stdout=null, stderr=null,
        executable=tmp_path / "slurm" / "slurmd",
    )  # fmt: skip
    while not (state / "requests").exists():
        time.sleep(0.005)
    yield given
    daemon.kill()
    daemon.wait()
    for groups in state.glob("*/groups"):
        for group in groups.read_text().split():
            with suppress(ProcessLookupError):
                os.killpg(int(group), signal.SIGKILL)
