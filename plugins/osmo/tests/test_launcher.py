"""The launcher is run as a container runs it: a task ends as it would have ended without."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from roar_osmo.envelope import Envelope, opened
from roar_osmo.returned import in_lines
from roar_osmo.rewrite import carried

OWN = os.path.dirname(sys.executable)
WITH_ROAR, WITHOUT = f"{OWN}:/usr/bin:/bin", "/usr/bin:/bin"
OPTIONS = ("--workflow", "w-1", "--task", "t", "--return", "logs", "--output", "out")

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs words in an empty folder, where the launcher lies beside."""
    for name, text in carried().items():
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "work").mkdir()

    def run_words(
        words: Sequence[str], path: str = WITH_ROAR, **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [word.replace("/roar-osmo/", f"{tmp_path}/roar-osmo/") for word in words],
            cwd=tmp_path / "work",
            env={"PATH": path, "HOME": str(tmp_path), **variables},
            input=b"typed\n",
            capture_output=True,
            check=False,
        )

    return run_words


def under(launcher: str, *command: str, python: str = "") -> tuple[str, ...]:
    starter = "sh" if launcher == "launch.sh" else "python3"
    return (starter, f"/roar-osmo/{launcher}", python, *OPTIONS, "--", *command)


def sent(stderr: bytes) -> list[Envelope]:
    lines = stderr.decode().splitlines()
    return [opened(name, content) for name, content in in_lines(lines, set())]


def without_ours(stderr: bytes) -> bytes:
    return b"".join(s for s in stderr.splitlines(keepends=True) if not s.startswith(b"ROAR1 "))


COMMANDS = {
    "all is well": "echo said; echo shouted >&2; cat; printf 'no end'",
    "an exit status": "exit 3",
    "a high exit status": "exit 255",
    "a signal": "kill -TERM $$",
    "a signal that nobody handles": "kill -KILL $$",
    "bytes that are no text": r"printf '\377\000x'",
    "a signal without a name": "kill -40 $$",
    "a broken pipe": "yes | head -1; trap",
    "its own variables": "env | grep -v -e ^LD_PRELOAD= -e ^ROAR_ -e ^_= | sort",
}


@pytest.mark.parametrize("path", [WITH_ROAR, WITHOUT], ids=["observed", "not observed"])
@pytest.mark.parametrize("launcher", ["launch.sh", "launch.py"])
def test_a_command_ends_as_it_ends_without(run: Run, launcher: str, path: str) -> None:
    for script in COMMANDS.values():
        words = ("sh", "-c", script)
        plain, launched = run(words, path), run(under(launcher, *words), path)
        assert launched.returncode == plain.returncode
        assert launched.stdout == plain.stdout
        assert without_ours(launched.stderr) == plain.stderr
        assert len(sent(launched.stderr)) == (path == WITH_ROAR)


@pytest.mark.parametrize("path", [WITH_ROAR, WITHOUT], ids=["observed", "not observed"])
@pytest.mark.parametrize("launcher", ["launch.sh", "launch.py"])
def test_what_cannot_be_executed_ends_as_in_a_shell(run: Run, launcher: str, path: str) -> None:
    assert run(under(launcher, "no-such-program"), path).returncode == 127
    assert run(under(launcher, "/etc/passwd"), path).returncode == 126


def test_what_a_command_did_is_sent(run: Run) -> None:
    script = "cat > made; cat made /etc/hostname > copy; kill -TERM $$"
    [envelope] = sent(run(under("launch.sh", "sh", "-c", script)).stderr)
    assert (envelope.workflow, envelope.task, envelope.output) == ("w-1", "t", "out")
    fragment = envelope.fragment
    assert (fragment.state, fragment.signal) == ("failed", "SIGTERM")
    assert {Path(file.path).name for file in fragment.written} == {"made", "copy"}
    assert all("blake3" in file.digests for file in fragment.written)


@pytest.mark.thorough
def test_too_much_for_a_log_is_said_and_not_sent(run: Run) -> None:
    script = "i=0; while test $i -lt 6000; do echo $i > f$i; i=$((i+1)); done"
    done = run(under("launch.sh", "sh", "-c", script))
    [envelope] = sent(done.stderr)
    assert envelope.fragment.written == ()
    [lost] = [r for r in envelope.fragment.coverage if r.code == "lost"]
    assert lost.count == 6000
    assert max(map(len, done.stderr.splitlines())) < 4096


def test_the_python_that_was_named_is_asked_first(run: Run) -> None:
    done = run(under("launch.sh", "true", python=f"{OWN}/python"), WITHOUT)
    assert len(sent(done.stderr)) == 1
    done = run(under("launch.py", "true", python="/no/such/python"), WITH_ROAR)
    assert len(sent(done.stderr)) == 1


def test_a_project_s_own_modules_are_not_ours(run: Run, tmp_path: Path) -> None:
    for name in ("roar_core.py", "json.py", "attrs.py"):
        (tmp_path / "work" / name).write_text("raise SystemExit(9)\n")
    for launcher in ("launch.sh", "launch.py"):
        done = run(under(launcher, "sh", "-c", "exit 4"))
        assert (done.returncode, len(sent(done.stderr))) == (4, 1)


# What an image may have that a submitter's launcher does not fit, and what may break in one.
MISFITS = {
    "no tracer": """
import roar_core.errors, roar_core.fragments
def observing(*_, **__):
    raise roar_core.errors.RefusedError("no tracer")
roar_core.fragments.observing = observing
""",
    "a defect": """
import roar_core.fragments
def observing(*_, **__):
    raise RuntimeError("ours")
roar_core.fragments.observing = observing
""",
    "an older roar-core": """
import roar_core.standing_in
del roar_core.standing_in.occupy_standard_descriptors
""",
    "another roar-core's fragments": """
import roar_core.fragments
roar_core.fragments.to_json = lambda: None
""",
}


@pytest.mark.parametrize("misfit", MISFITS.values(), ids=MISFITS)
def test_a_failure_of_ours_is_not_the_task_s(run: Run, tmp_path: Path, misfit: str) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(misfit)
    words = under("launch.sh", "sh", "-c", "echo once; exit 5")
    done = run(words, PYTHONPATH=str(tmp_path / "site"))
    assert (done.returncode, done.stdout, done.stderr) == (5, b"once\n", b"")


def test_a_task_without_a_working_directory_runs(run: Run) -> None:
    words = under("launch.sh", "sh", "-c", "echo once; exit 5")
    done = run(
        ("sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *words),
    )
    assert (done.returncode, done.stdout) == (5, b"once\n")


def test_nothing_is_sent_when_nobody_can_hear_it(run: Run, tmp_path: Path) -> None:
    words = under("launch.sh", "sh", "-c", "exit 6")
    done = run(("sh", "-c", 'exec "$@" 2>&-', "sh", *words))
    assert (done.returncode, done.stdout, done.stderr) == (6, b"", b"")


def test_a_signal_reaches_the_command(tmp_path: Path, run: Run) -> None:
    script = "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    words = [w.replace("/roar-osmo/", f"{tmp_path}/roar-osmo/") for w in under(
        "launch.sh", "sh", "-c", script
    )]  # fmt: skip
    environ = {"PATH": WITH_ROAR, "HOME": str(tmp_path)}
    with subprocess.Popen(
        words, cwd=tmp_path / "work", env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (7, b"caught\n")
    assert len(sent(err)) == 1
