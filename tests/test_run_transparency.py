"""`roar run` in front of a command changes nothing about it: output, status, signals, terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest

pytestmark = pytest.mark.usefixtures("each_tracer")

# Says when it is ready, then counts the signal it was told to wait for, for a moment.
COUNTER = """
import signal, sys, time
number = getattr(signal, sys.argv[1])
seen = []
signal.signal(number, lambda *_: seen.append(1))
print("ready", flush=True)
deadline = time.monotonic() + 60
while not seen and time.monotonic() < deadline:
    signal.sigtimedwait([], 0.01)
end = time.monotonic() + 0.3
while time.monotonic() < end:
    signal.sigtimedwait([], 0.01)
print("got", len(seen), flush=True)
sys.exit(7)
"""


def roar_run(*command: str) -> list[str]:
    return [sys.executable, "-m", "roar_core", "run", "--", *command]


@pytest.mark.parametrize("code", [0, 1, 3, 125, 126, 127, 255])
def test_the_exit_code_is_the_commands(project: ProjectUnderTest, code: int) -> None:
    assert project.roar("run", "sh", "-c", f"exit {code}").exit_code == code


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGINT", "SIGSEGV", "SIGPIPE", "SIGHUP"])
def test_roar_dies_of_the_signal_that_killed_the_command(
    project: ProjectUnderTest, name: str
) -> None:
    result = project.run("sh", "-c", f"kill -{name[3:]} $$")
    assert result.exit_code == -signal.Signals[name]
    assert result.job is not None
    assert (result.job["state"], result.job["signal"]) == ("failed", name)


def test_standard_streams_pass_through(project: ProjectUnderTest) -> None:
    done = subprocess.run(
        roar_run("sh", "-c", "cat; echo err >&2"),
        input=b"in\x00\xff",
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"in\x00\xff"
    assert done.stderr.startswith(b"err\n")


def test_a_command_that_is_not_there_is_127(project: ProjectUnderTest) -> None:
    result = project.roar("run", "no-such-command")
    assert result.exit_code == 127
    assert "no-such-command" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_that_is_not_executable_is_126(project: ProjectUnderTest) -> None:
    project.write("plain.txt", "text")
    result = project.roar("run", "./plain.txt")
    assert result.exit_code == 126
    assert "chmod +x" in result.stderr


def test_a_script_whose_interpreter_is_missing_is_127_as_in_every_shell(
    project: ProjectUnderTest,
) -> None:
    project.write("odd", "#!/no/such/interpreter\n").chmod(0o755)
    result = project.roar("run", "./odd")
    assert result.exit_code == 127
    assert "interpreter" in result.stderr


def test_a_script_without_an_interpreter_line_runs_in_sh(project: ProjectUnderTest) -> None:
    project.write("plain", "echo $1 $0\n").chmod(0o755)
    result = project.roar("run", "./plain", "hello")
    assert (result.exit_code, result.stdout) == (0, "hello ./plain\n")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT"])
def test_a_signal_sent_to_roar_reaches_the_command_once(
    project: ProjectUnderTest, name: str
) -> None:
    with running(project, sys.executable, "-c", COUNTER, name) as (process, line):
        assert line() == "ready"
        process.send_signal(signal.Signals[name])
        assert line() == "got 1"
        assert process.wait() == 7


def test_ctrl_c_on_a_terminal_reaches_the_command_once(project: ProjectUnderTest) -> None:
    job = roar_run(sys.executable, "-c", COUNTER, "SIGINT")
    with on_a_terminal(project, job) as (pid, read_until, send):
        read_until(b"ready")
        send(b"\x03")
        assert b"got 1" in read_until(b"got")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


# A shell in little: the command is a foreground job; when it stops, say so and continue it.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(job, os.WUNTRACED)
assert os.WIFSTOPPED(status), status
print("stopped", flush=True)
os.killpg(job, signal.SIGCONT)
_, status = os.waitpid(job, 0)
print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""


def test_ctrl_z_stops_both_and_a_continue_wakes_both(project: ProjectUnderTest) -> None:
    script = "import sys; print('ready', flush=True); sys.stdin.readline(); print('done')"
    job = roar_run(sys.executable, "-c", script)
    with on_a_terminal(project, [sys.executable, "-c", SHELL, *job]) as (_, read_until, send):
        read_until(b"ready")
        send(b"\x1a")
        read_until(b"stopped")
        send(b"go on\n")
        read_until(b"done")
        assert b"ended 0" in read_until(b"ended")


def test_no_thread_of_ours_can_swallow_the_commands_end(project: ProjectUnderTest) -> None:
    """A thread that left SIGCHLD open would have it delivered, ignored, and roar wait for ever."""
    project.write("in.txt", "x")
    script = "cat in.txt; read line < gate"
    os.mkfifo(project.root / "gate")
    with running(project, "sh", "-c", f"echo ready; {script}") as (process, line):
        assert line() == "ready"
        # The main thread waits for it, and is shown with it open while it does: sigtimedwait(2).
        texts = [
            (task / "status").read_text()
            for task in Path(f"/proc/{process.pid}/task").iterdir()
            if task.name != str(process.pid)
        ]
        (project.root / "gate").write_text("go\n")
        assert process.wait() == 0
    # A thread that is just ending has no mask any more.
    masks = [
        int(re.search(r"SigBlk:\t(\w+)", text)[1], 16)  # type: ignore[index]
        for text in texts
        if not re.search(r"State:\t[XZ]", text)
    ]
    assert masks
    assert all(mask >> (signal.SIGCHLD - 1) & 1 for mask in masks)


def test_ignored_signals_stay_ignored(project: ProjectUnderTest) -> None:
    script = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    ignoring = f'trap "" HUP; exec "{sys.executable}" -m roar_core run "{sys.executable}" -c "$0"'
    done = subprocess.run(
        ["sh", "-c", ignoring, script],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


def test_the_command_inherits_no_descriptor_of_ours_and_no_blocked_signal(
    project: ProjectUnderTest,
) -> None:
    script = (
        "import os,signal;"
        "print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:3],"
        " len(os.listdir('/proc/self/fd')), signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    bare = subprocess.run(
        [sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert project.roar("run", sys.executable, "-c", script).stdout == bare.stdout


def test_the_environment_gains_nothing_but_what_is_documented(project: ProjectUnderTest) -> None:
    script = "import os, json; print(json.dumps(sorted(os.environ)))"
    bare = subprocess.run(
        [sys.executable, "-c", script],
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    traced = project.roar("run", sys.executable, "-c", script)
    import json

    added = set(json.loads(traced.stdout)) - set(json.loads(bare.stdout))
    assert added <= {"LD_PRELOAD", "ROAR_TRACE"}


def test_in_the_c_locale_a_command_gets_no_locale_of_the_interpreter_s(
    project: ProjectUnderTest,
) -> None:
    c_locale = {name: value for name, value in project.environment().items() if name != "LANG"}
    c_locale = {name: value for name, value in c_locale.items() if not name.startswith("LC_")}
    for given in ({}, {"LC_CTYPE": "C.UTF-8"}):
        done = subprocess.run(
            [sys.executable, "-m", "roar_core", "run", "-q", "env"],
            env=c_locale | given,
            cwd=project.root,
            capture_output=True,
            text=True,
            check=True,
        )
        locale = [line for line in done.stdout.splitlines() if line.startswith("LC_")]
        assert locale == [f"{name}={value}" for name, value in given.items()]


def test_quiet_prints_nothing(project: ProjectUnderTest) -> None:
    assert project.roar("run", "-q", "true").stderr == ""


def test_the_summary_is_one_line(project: ProjectUnderTest) -> None:
    project.write("in.txt", "x")
    result = project.roar("run", "cp", "in.txt", "out.txt")
    (line,) = result.stderr.splitlines()
    assert "@1" in line
    assert "1 input" in line
    assert "1 output" in line


@contextmanager
def running(
    project: ProjectUnderTest, *command: str
) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """The command under `roar run` in a process group of its own, and a reader of its lines."""
    process = subprocess.Popen(
        roar_run(*command),
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield process, lambda: process.stdout.readline().rstrip("\n")  # type: ignore[union-attr]
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def on_a_terminal(
    project: ProjectUnderTest, argv: list[str]
) -> Iterator[tuple[int, Callable[[bytes], bytes], Callable[[bytes], int]]]:
    """A process that leads the session of a new terminal, and what to read and type there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        os.execve(argv[0], argv, project.environment())

    def read_until(mark: bytes) -> bytes:
        seen = b""
        deadline = time.monotonic() + 60
        while mark not in seen or not seen.endswith(b"\n"):
            assert time.monotonic() < deadline, seen
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 4096)
                except OSError:  # the terminal's last user has gone
                    break
        return seen

    try:
        yield pid, read_until, lambda data: os.write(terminal, data)
    finally:
        os.close(terminal)
