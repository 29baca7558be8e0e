"""The database on full and on read-only file systems, in a mount namespace of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from roar_core.store.writer import Store

pytestmark = pytest.mark.needs("root")

TRY = """
import os, sys, time
from pathlib import Path
from roar_core.errors import RoarError
from roar_core.model.job import Job
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
root, how = sys.argv[1:]
job = Job(os.urandom(16).hex(), "run", ("x" * 9000,), root, root, "running", time.time_ns())
try:
    with Store.open(Path(root, ".roar"), create=how == "create", read_only=how == "read") as store:
        if how == "read":
            print(len(store.jobs_of_session()), "jobs")
        else:
            store.begin(job, owner=Owner.current())
            print("begun")
except RoarError as error:
    print(error)
"""


def mounted(root: Path, mount: str, how: str, prepare: str) -> str:
    """What `how` (read, write, create) says in `root`, on a tmpfs that only this child sees."""
    script = (
        'root=$1; shift; cp -a "$root" "$root.copy"; '
        f'mount -t tmpfs -o size={mount} none "$root" && cp -a "$root.copy/." "$root" && '
        f'cd "$root" && {prepare} && exec "$@"'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(root)]
    result = subprocess.run(
        [*command, sys.executable, "-c", TRY, str(root), how],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stderr == ""
    return result.stdout.strip()


READ_ONLY = 'mount -o remount,ro "$root" && cd /'
FILL = "{ dd if=/dev/zero of=filler bs=4k 2>/dev/null; true; }"


@pytest.fixture
def recorded(tmp_path: Path, job_maker: Any) -> Path:
    root = tmp_path / "project"
    with Store.open(root / ".roar", create=True) as store:
        job_maker(root).record(store, "a", writes={"x": b"1"})
    return root


def test_a_read_only_project_can_be_read(recorded: Path) -> None:
    assert mounted(recorded, "4m", "read", READ_ONLY) == "1 jobs"


def test_a_read_only_project_refuses_to_record_in_a_sentence(recorded: Path) -> None:
    said = mounted(recorded, "4m", "write", READ_ONLY)
    assert said.startswith("cannot write database .roar/roar.db") or "check who may write" in said


def test_a_read_only_directory_refuses_a_new_database_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = mounted(tmp_path / "empty", "4m", "create", READ_ONLY)
    assert said.endswith("Read-only file system")


@pytest.mark.parametrize("how", ["write", "create"])
def test_a_full_disk_is_told_in_a_sentence(recorded: Path, how: str) -> None:
    said = mounted(recorded, "1m", how, FILL)
    assert "no space left" in said


def test_what_is_on_a_full_disk_can_be_read(recorded: Path) -> None:
    assert mounted(recorded, "1m", "read", FILL) == "1 jobs"


def test_a_full_disk_refuses_a_new_database_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no space left" in mounted(tmp_path / "empty", "64k", "create", FILL).lower()
