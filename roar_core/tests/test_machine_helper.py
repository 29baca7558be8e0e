"""Helper programs are bounded in time and size, and get nothing that changes what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roar_core.environment.output_of import Helper, output_of, program


def shell(script: str, timeout_s: float = 10.0, max_bytes: int | None = None) -> tuple[object, ...]:
    return output_of(["/bin/sh", "-c", script], timeout_s, max_bytes=max_bytes)[:4]


def test_output_and_status_are_kept_apart() -> None:
    assert shell("echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n", "")


def test_a_helper_killed_by_a_signal_has_a_negative_status() -> None:
    assert shell("kill -TERM $$") == (-signal.SIGTERM, b"", b"", "")


def test_more_than_a_pipe_holds_is_read_from_both_pipes() -> None:
    status, out, err, cut = shell("head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero")
    assert (status, cut) == (0, "")
    assert (out, err) == (bytes(3_000_000),) * 2


def test_a_helper_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    started = time.monotonic()
    status, _, _, cut = shell(f"sleep 60 & echo $! > {tmp_path}/child; wait", timeout_s=0.3)
    assert (status, cut) == (None, "time")
    assert time.monotonic() - started < 10
    child = int((tmp_path / "child").read_text())
    while Path(f"/proc/{child}").exists() and "State:\tZ" not in _status(child):
        assert time.monotonic() - started < 10


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "State:\tZ"


def test_a_helper_that_closes_its_output_and_stays_is_ended() -> None:
    assert shell("exec >&- 2>&-; sleep 60", timeout_s=0.3)[3] == "time"


def test_endless_output_is_cut_at_the_limit_or_the_deadline() -> None:
    assert shell("yes", max_bytes=100_000)[3] == "size"
    assert shell("yes", timeout_s=0.2)[3] == "time"


def test_a_daemon_left_behind_does_not_hold_up_the_answer() -> None:
    started = time.monotonic()
    assert shell("sleep 20 & echo done")[:2] == (0, b"done\n")
    assert time.monotonic() - started < 10


def test_a_helper_gets_no_input_no_preload_and_no_git_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LD_PRELOAD", "GIT_DIR", "PYTHONPATH", "ROAR_TRACE", "BASH_ENV"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("KEPT", "yes")
    _, out, err, _ = shell("cat; env")
    names = {line.partition(b"=")[0] for line in bytes(str(out), "utf8").split(b"\\n")}
    assert b"KEPT" in names
    assert names.isdisjoint({b"LD_PRELOAD", b"GIT_DIR", b"PYTHONPATH", b"ROAR_TRACE", b"BASH_ENV"})
    assert err == b""


def test_a_helper_has_default_signals_and_a_group_of_its_own() -> None:
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    assert shell("kill -PIPE $$")[0] == -signal.SIGPIPE
    group = output_of(["/bin/sh", "-c", "echo $$; cut -d' ' -f5 /proc/$$/stat"], 10).out.split()
    assert group[0] == group[1]


def test_an_ignored_sigchld_loses_no_output() -> None:
    code = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "from roar_core.environment.output_of import output_of;"
        "print(output_of(['/bin/echo', 'hi'], 5))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "Output(status=0, out=b'hi\\n', err=b'', cut='')\n"


def test_nothing_is_left_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    shell("echo x")
    shell("sleep 9", timeout_s=0.05)
    with pytest.raises(OSError, match="No such file"):
        Helper.start([os.fspath(tmp_path / "absent")])
    Helper.start(["/bin/sleep", "9"]).abandon()
    assert os.listdir("/proc/self/fd") == before


def test_a_program_is_never_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", ":", "bin::."):
        monkeypatch.setenv("PATH", path)
        assert program("git") is None
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert program("git") == f"{tmp_path}/git"


def test_a_complaint_is_one_printable_line() -> None:
    done = output_of(["/bin/sh", "-c", r"printf 'bad \033[31mthing\nmore' >&2; exit 1"], 10)
    assert done.complaint == "bad [31mthing"
