"""The client that people use today, `roar-cli`, in an environment of its own, and its users."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
from blake3 import blake3

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

VERSION = "0.4.7"


@pytest.fixture(scope="session")
def stock_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stock client's command, in one environment for all test processes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "stock-client"
    with (shared / "stock-client.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            venv.create(folder, with_pip=False, symlinks=True)
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python"]
            command = [*pip, folder / "bin" / "python", "install", "-q", f"roar-cli=={VERSION}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    return folder / "bin" / "roar"


@attrs.define
class Checkout:
    """A folder of a person who uses the stock client, with one registry at a time."""

    client: Path
    folder: Path
    environ: dict[str, str]

    def at(self, registry: Registry) -> Checkout:
        """The same, with another registry."""
        urls = dict.fromkeys(("GLAAS_URL", "ROAR_GLAAS__URL"), registry.url)
        return attrs.evolve(self, environ=self.environ | urls)

    def of(self, home: Path) -> Checkout:
        """The same, in the hands of another person."""
        home.mkdir()
        return attrs.evolve(self, environ=self.environ | {"HOME": str(home)})

    @property
    def home(self) -> Path:
        return Path(self.environ["HOME"])

    def call(self, *words: str | Path, status: int = 0) -> str:
        """What a command prints; it must end with this status."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def roar(self, *words: str, status: int = 0) -> str:
        return self.call(self.client, *words, status=status)

    def git(self, *words: str) -> str:
        return self.call("git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words)

    def digest(self, name: str) -> str:
        return blake3((self.folder / name).read_bytes()).hexdigest()

    def elsewhere(self) -> Checkout:
        """Another project of the same person, which knows nothing."""
        other = attrs.evolve(self, folder=self.folder.parent / f"{self.folder.name}-elsewhere")
        other.folder.mkdir()
        other.git("init", "-q")
        other.roar("init", "-n")
        return other


@pytest.fixture(scope="module")
def recorded(stock_client: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Two runs, not registered yet: end was made of out, which was made of in."""
    root = tmp_path_factory.mktemp("stock")
    home, folder = root / "home", root / "project"
    home.mkdir()
    folder.mkdir()
    environ = {
        "HOME": str(home),
        "PATH": f"{stock_client.parent}:{os.environ['PATH']}",
        "DO_NOT_TRACK": "1",
        "ROAR_DISABLE_BROWSER_OPEN": "1",
        # Its own switch for tests of publishing: all of a `put` but the transfer itself.
        "ROAR_PUT_SKIP_UPLOAD": "1",
    }
    found = Checkout(stock_client, folder, environ)
    (folder / "double.py").write_text("open('out', 'w').write(open('in').read() * 2)\n")
    (folder / "in").write_text("something\n")
    (folder / "parts").mkdir()
    for n in range(3):
        (folder / "parts" / f"part-{n}").write_text(f"{n}\n")
    (folder / ".gitignore").write_text(".roar/\nin\nout\nend\nparts/\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "begin"]):
        found.git(*words)
    found.roar("init", "-n")
    # It leaves out what lies below /tmp, where this test is.
    found.roar("config", "set", "filters.ignore_tmp_files", "false")
    # Left to choose, it once missed an output on a busy machine; its recording is not the question.
    found.roar("config", "set", "tracer.default", "preload")
    found.roar("run", "python3", "double.py")
    found.roar("run", "sh", "-c", "tr s S < out > end")
    return found


def registered(project: Checkout, *words: str) -> str:
    """The name of the session that the client tells."""
    told = project.roar(*words)
    found = re.search(rf"{project.environ['GLAAS_URL']}/dag/([0-9a-f]{{64}})", told)
    assert found is not None, told
    return found[1]
