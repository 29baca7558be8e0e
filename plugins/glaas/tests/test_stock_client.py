"""The client that people use today, `roar-cli`, speaks to this server as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

VERSION = "0.4.7"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stock client's command, from the package index, in an environment of its own."""
    folder = tmp_path_factory.mktemp("stock")
    venv.create(folder, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python"]
    command = [*pip, folder / "bin" / "python", "install", "-q", f"roar-cli=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "roar"


@pytest.mark.needs("git")
@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_registers_anonymously_and_reads_back(
    client: Path, registry: Registry, tmp_path: Path
) -> None:
    home, project, elsewhere = (tmp_path / name for name in ("home", "project", "elsewhere"))
    for folder in (home, project, elsewhere):
        folder.mkdir()
    environ = {
        "HOME": str(home),
        "PATH": f"{client.parent}:{os.environ['PATH']}",
        "GLAAS_URL": registry.url,
        "ROAR_GLAAS__URL": registry.url,
        "DO_NOT_TRACK": "1",
    }

    def call(*words: str | Path, cwd: Path = project) -> str:
        done = subprocess.run(
            words, cwd=cwd, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
    (project / "double.py").write_text("open('out', 'w').write(open('in').read() * 2)\n")
    (project / "in").write_text("something\n")
    (project / ".gitignore").write_text(".roar/\nin\nout\nend\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "begin"]):
        call(*git, *words)
    call(client, "init", "-n")
    # It leaves out what lies below /tmp, where this test is.
    call(client, "config", "set", "filters.ignore_tmp_files", "false")
    # Left to choose, it once missed an output on a busy machine; its recording is not the question.
    call(client, "config", "set", "tracer.default", "preload")
    call(client, "run", "python3", "double.py")
    call(client, "run", "sh", "-c", "tr s S < out > end")
    told = call(client, "register", "-y", "--anonymous", "end")
    name = re.search(rf"{registry.url}/dag/([0-9a-f]{{64}})", told)
    assert name is not None, told
    assert name[1] in call(client, "register", "-y", "--anonymous", "end")

    digest = blake3((project / "end").read_bytes()).hexdigest()
    found = registry.client.get(f"/api/v1/artifacts/{digest}/dag").json()
    assert [job["command"] for job in found["jobs"]] == [
        "python3 double.py",
        "sh -c 'tr s S < out > end'",
    ]
    assert len(registry.client.get(f"/api/v1/sessions/{name[1]}").json()["jobs"]) == 2
    call(*git, "init", "-q", cwd=elsewhere)
    call(client, "init", "-n", cwd=elsewhere)
    shown = call(client, "show", digest, "--remote", cwd=elsewhere)
    assert "Source:     GLaaS" in shown
    assert "tr s S" in shown
    plan = call(client, "reproduce", digest, cwd=elsewhere)
    assert "Run Steps (2)" in plan
