"""A command ends as it ends without roar, whatever becomes of what is told of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from roar_core.fragments import from_json
from roar_core.testing.needs import require_any_tracer

_RUN = """
import sys
from pathlib import Path
from roar_core.fragments import Attempt, to_json
from roar_core.in_place import run
folder, how, *command = sys.argv[1:]
def deliver(fragment):
    if how == "undelivered":
        raise TimeoutError("the store does not answer")
    Path(folder, "fragment").write_bytes(to_json(fragment))
journal = Path(folder, "absent" if how == "unobservable" else "", "journal")
sys.exit(run(Attempt("t", tuple(command), folder), journal, deliver))
"""


def run(folder: Path, how: str, script: str) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-c", _RUN, str(folder), how, "sh", "-c", script)
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 3", 3), ("kill -TERM $$", -15), ("kill -40 $$", -40)]
)
def test_it_ends_as_its_command_ends(tmp_path: Path, script: str, status: int) -> None:
    require_any_tracer()
    for how in ("observed", "undelivered", "unobservable"):
        assert run(tmp_path, how, script).returncode == status


def test_what_cannot_be_delivered_is_said(tmp_path: Path) -> None:
    require_any_tracer()
    done = run(tmp_path, "undelivered", "echo once")
    assert (done.returncode, done.stdout) == (0, "once\n")
    words = "the command ended, but could not be reported: the store does not answer"
    assert done.stderr == f"roar: {words}\n"


def test_a_command_whose_journal_cannot_be_made_runs_and_says_so(tmp_path: Path) -> None:
    require_any_tracer()
    done = run(tmp_path, "unobservable", "echo once")
    assert (done.returncode, done.stdout, done.stderr) == (0, "once\n", "")
    fragment = from_json((tmp_path / "fragment").read_bytes())
    assert (fragment.state, fragment.cwd) == ("succeeded", str(tmp_path))
    [reason] = fragment.coverage
    assert reason.code == "untraced"
    assert "journal" in reason.detail
