"""Real trackers to test with, each in a virtual environment of its own, outside the checkout.

    $XDG_CACHE_HOME/roar-test/<tracker>-<hash of its lock file>/     or below ~/.cache

An environment is made once and used by every checkout and every Python from then on: what a tracker
writes does not depend on them. To make room, remove the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import venv
from pathlib import Path

LOCKS = Path(__file__).parent / "locks"
# What the users' page promises, and what therefore every run of the tests meets.
PROMISED = ("wandb", "mlflow", "neptune", "neptune-scale")
OTHERS = tuple(sorted({lock.stem for lock in LOCKS.glob("*.txt")} - {*PROMISED}))


class NotInstallableError(Exception):
    """pip could not make an environment; the message is its last line."""


def python_with(tracker: str) -> str:
    """The interpreter of an environment that holds exactly what the tracker's lock file lists."""
    lock = LOCKS / f"{tracker}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = _cache() / f"{tracker}-{digest}"
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


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roar-test"


def _install(lock: Path, folder: Path) -> None:
    venv.create(folder, with_pip=True, symlinks=True)  # as `python -m venv` does
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-q"]
    done = subprocess.run(
        [*pip, "install", "--no-deps", "-r", lock], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstallableError(done.stderr.strip().rpartition("\n")[2])
