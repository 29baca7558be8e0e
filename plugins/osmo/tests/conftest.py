"""An OSMO of this machine's own, on the PATH of a project's commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from osmo_cluster import FAKE, Cluster

from roar_core.testing.projects import ProjectUnderTest


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
