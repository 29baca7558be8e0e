"""Real libraries to test with, each in a virtual environment of its own, outside the checkout.

    $XDG_CACHE_HOME/roar-test/<name>-<hash of its lock file>/     or below ~/.cache

An environment holds exactly what its lock file lists. It is made once and used by every checkout
and every Python from then on. To make room, remove the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from roar_core.testing.needs import leave_out


class NotInstallableError(Exception):
    """pip could not make an environment; the message is its last line."""


def python_with(lock: Path) -> str:
    """The interpreter of an environment that holds exactly what a lock file lists."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = _cache() / f"{lock.stem}-{digest}"
    complete = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Several workers, and several checkouts, may come at once.
    with (folder.parent / f"{folder.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(lock, folder)
            complete.touch()
    return str(folder / "bin" / "python")


def python_or_leave_out(lock: Path) -> str:
    """The same; where it could not be made, the running test is left out."""
    try:
        return python_with(lock)
    except NotInstallableError as error:
        leave_out(f"{lock.stem} could not be installed: {error}")


def write_lock(lock: Path, requirements: Sequence[str]) -> None:
    """Install these requirements into an empty environment, and write down what came of it.

    What `pip freeze` then says is the lock: names and versions, nothing of the machine or of the
    index they came from.
    """
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = (f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check")
        subprocess.run([*pip, "install", "-q", *requirements], check=True)
        frozen = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True)
    pins = sorted((line for line in frozen.stdout.splitlines() if "==" in line), key=str.lower)
    lock.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roar-test"


def _install(lock: Path, folder: Path) -> None:
    venv.create(folder, with_pip=True, symlinks=True)  # as `python -m venv` does
    pip = (str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q")
    done = subprocess.run(
        [*pip, "install", "--no-deps", "-r", str(lock)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstallableError(done.stderr.strip().rpartition("\n")[2])
