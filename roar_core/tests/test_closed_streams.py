"""What was closed, full or too small before roar started stays the caller's business alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from roar_core.testing.projects import ProjectUnderTest

ROAR = f"{sys.executable} -m roar_core"


@pytest.mark.parametrize("gone", ["2>&-", "2>/dev/full", ">&- 2>&-", "<&- >&- 2>&-"])
def test_words_that_nobody_can_read_change_no_exit_code(
    project: ProjectUnderTest, gone: str
) -> None:
    assert project.shell(f"{ROAR} run -v sh -c 'exit 3' {gone}").exit_code == 3


@pytest.mark.parametrize("number", ["0", "1", "2"])
def test_a_closed_descriptor_is_closed_for_the_command_too(
    project: ProjectUnderTest, number: str
) -> None:
    project.write(
        "closed.py", "import os, sys\ntry: os.fstat(int(sys.argv[1]))\nexcept OSError: sys.exit(9)"
    )
    line = f"{sys.executable} closed.py {number} {number}>&-"
    # The interpreter itself opens the script, maybe there; `-` has read it by then.
    bare = project.shell(line)
    assert project.shell(f"{ROAR} run {line}").exit_code == bare.exit_code == 9


def test_with_streams_closed_the_bytes_that_were_read_are_still_caught(
    project: ProjectUnderTest,
) -> None:
    project.write("data", "before")
    script = "import time; a = open('data').read(); time.sleep(0.3); open('data', 'w').write('b')"
    project.shell(f'{ROAR} run {sys.executable} -c "{script}" <&- >&- 2>&-')
    states = {e["relative"]: e["hash_state"] for e in project.json("show")["inputs"]}
    assert states["data"] == "before_change"


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("command", ["log", "status", "dag --json", "show --json", "--version"])
def test_a_result_that_cannot_be_written_is_one_sentence(
    project: ProjectUnderTest, command: str, buffered: str
) -> None:
    project.roar("run", "true")
    for target, why in ((">&-", "closed"), (">/dev/full", "No space left on device")):
        done = subprocess.run(
            ["sh", "-c", f"{ROAR} {command} {target}"],
            cwd=project.root,
            env=project.environment({"PYTHONUNBUFFERED": buffered}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("roar: cannot write the result: ")
        assert why in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_limit_on_open_files_is_named_before_anything_starts(project: ProjectUnderTest) -> None:
    result = project.shell(f"ulimit -n 12; {ROAR} run touch out")
    assert result.exit_code == 125
    assert "ulimit -n" in result.stdout
    assert len(result.stdout.splitlines()) == 1
    assert not (project.root / "out").exists()


def test_a_command_without_a_name_is_not_found(project: ProjectUnderTest) -> None:
    result = project.roar("run", "")
    assert result.exit_code == 127
    assert result.stderr == "roar: command not found: its name is empty\n"


def test_names_in_what_roar_says_cannot_steer_the_terminal(project: ProjectUnderTest) -> None:
    hostile = project.root / "a\x1b[31m\n"
    hostile.mkdir()
    (hostile / ".git").mkdir()
    told = project.shell(f"cd '{hostile}'; {ROAR} run true; {ROAR} run 'no\x1bsuch'").stdout
    assert "\x1b" not in told
    assert "a\\x1b[31m\\n/.roar" in told
    assert "no\\x1bsuch" in told


def _words(total_bytes: int) -> list[str]:
    """Arguments that take about so many bytes of execve(2)'s room, pointers included."""
    whole, rest = divmod(total_bytes, 100_009)
    return ["x" * 100_000] * whole + ["y" * max(1, rest - 9)]


def test_a_command_line_that_only_our_variables_make_too_long_runs_unseen(
    project: ProjectUnderTest,
) -> None:
    environ = project.environment()
    fits, too_much = 100_000, os.sysconf("SC_ARG_MAX")
    while too_much - fits > 8:
        middle = (fits + too_much) // 2
        try:
            subprocess.run(["/bin/true", *_words(middle)], env=environ, check=True)
            fits = middle
        except OSError:
            too_much = middle
    unseen = 0
    for less in range(0, 400, 20):
        command = [*project.roar_argv, "run", "/bin/true", *_words(fits - less)]
        try:
            done = subprocess.run(
                command, cwd=project.root, env=environ, capture_output=True, text=True, check=False
            )
        except OSError:  # too long for roar itself
            continue
        assert done.returncode == 0, done.stderr
        unseen += "partial: unentered" in done.stderr
    assert unseen
