"""Bad input to `run` gets one clear sentence and 125, starts nothing, and loses nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest, Result


def is_one_sentence(result: Result, *words: str) -> None:
    (line,) = result.stderr.splitlines()
    assert line.startswith("roar: ")
    for word in words:
        assert word in line


def test_no_command(project: ProjectUnderTest) -> None:
    result = project.roar("run")
    assert result.exit_code == 125
    is_one_sentence(result, "no command given", "roar run python train.py")


def test_an_unknown_option(project: ProjectUnderTest) -> None:
    result = project.roar("run", "--trace", "true")
    assert result.exit_code == 125
    is_one_sentence(result, "--trace", "--tracer")


def test_an_unknown_tracer(project: ProjectUnderTest) -> None:
    result = project.roar("run", "--tracer", "nope", "touch", "started.txt")
    assert result.exit_code == 125
    is_one_sentence(result, "'nope'", "preload", "roar tracer")
    assert not (project.root / "started.txt").exists()


def test_no_tracer_at_all_says_how_to_install_one(project: ProjectUnderTest) -> None:
    result = project.roar("run", "true", environ={"ROAR_DISABLE_PLUGINS": "all"})
    assert result.exit_code == 125
    is_one_sentence(result, "no tracer is installed", "pip install ./plugins/tracer_preload")


def test_a_working_directory_that_is_gone(project: ProjectUnderTest) -> None:
    gone = project.root / "gone"
    gone.mkdir()
    script = f'cd "{gone}" && rmdir "{gone}" && exec "{sys.executable}" -m roar_core run true'
    done = subprocess.run(
        ["sh", "-c", script], env=project.environment(), capture_output=True, text=True, check=False
    )
    result = Result(done.returncode, done.stdout, done.stderr)
    assert result.exit_code == 125
    is_one_sentence(result, "working directory", "cd to a directory that exists")


@pytest.mark.parametrize("place", ["/", "home"])
def test_what_is_too_wide_for_a_project(project: ProjectUnderTest, place: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "roar_core", "run", "true"],
        cwd=project.home if place == "home" else place,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    result = Result(done.returncode, done.stdout, done.stderr)
    assert result.exit_code == 125
    is_one_sentence(result, "too wide", "cd to")


def test_a_roar_directory_that_is_a_file(project: ProjectUnderTest) -> None:
    shutil.rmtree(project.root / ".roar")
    project.write(".roar", "in the way")
    result = project.roar("run", "touch", "started.txt")
    assert result.exit_code == 125
    is_one_sentence(result, ".roar")
    assert not (project.root / "started.txt").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[run]\ngrace = "fast"\n', [".roar/config.toml", "run.grace", "seconds", "'fast'"]),
        ("[run]\ngrase = 1\n", [".roar/config.toml", "run.grase", "run.grace"]),
        ("[run\n", [".roar/config.toml", "line 1"]),
    ],
)
def test_a_bad_configuration(project: ProjectUnderTest, content: str, words: list[str]) -> None:
    project.write(".roar/config.toml", content)
    result = project.roar("run", "touch", "started.txt")
    assert result.exit_code == 125
    is_one_sentence(result, *words)
    assert not (project.root / "started.txt").exists()


def test_a_database_of_a_newer_roar(project: ProjectUnderTest) -> None:
    import sqlite3
    from contextlib import closing

    project.run("true")
    with closing(sqlite3.connect(project.root / ".roar/roar.db")) as db:
        db.execute("PRAGMA user_version = 99")
    result = project.roar("run", "touch", "started.txt")
    assert result.exit_code == 125
    is_one_sentence(result, "99", "upgrade")
    assert not (project.root / "started.txt").exists()


def test_a_name_that_is_not_utf8_is_recorded_as_it_is(project: ProjectUnderTest) -> None:
    name = os.fsdecode(b"caf\xe9 \n.txt")
    project.write(name, "x")
    result = project.run("cp", name, "copy.txt")
    assert result.job is not None
    (found,) = result.job["inputs"]
    assert found["raw"]
    import base64

    assert base64.b64decode(found["raw"]) == os.fsencode(project.root / name)
    assert project.roar("show").stdout.isprintable() is False  # line ends
    assert "\n.txt" not in project.roar("show").stdout


def test_a_full_disk_harms_the_record_but_not_the_command(
    project: ProjectUnderTest, tmp_path: Path
) -> None:
    """The journal cannot grow beyond what was allocated: the command runs on, and roar says so."""
    project.write(
        "busy.py",
        "import os\n"
        "for i in range(40_000):\n"
        "    name = f'{i:0200d}'\n"
        "    os.close(os.open(name, os.O_CREAT | os.O_WRONLY)); os.unlink(name)\n"
        "print('done')\n",
    )
    limited = (
        f'ulimit -f 40960; exec "{sys.executable}" -m roar_core run "{sys.executable}" busy.py'
    )
    done = subprocess.run(
        ["sh", "-c", limited],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "partial: lost" in done.stderr
    coverage = project.json("show")["coverage"]
    assert coverage["state"] == "partial"
    assert coverage["reasons"][0]["count"] > 0


def test_an_argument_list_that_leaves_us_no_room_still_runs(project: ProjectUnderTest) -> None:
    """E2BIG because of our variables: the program is executed without them, and it is a gap."""
    script = (
        "import os, sys\n"
        "room = os.sysconf('SC_ARG_MAX')\n"
        "size, argument = 0, 'x' * 100_000\n"
        "bare = {k: v for k, v in os.environ.items() if k not in ('LD_PRELOAD', 'ROAR_TRACE')}\n"
        "arguments = ['true']\n"
        "while True:\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        try: os.execve('/bin/true', arguments + [argument], bare)\n"
        "        except OSError: os._exit(9)\n"
        "    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9:\n"
        "        if len(argument) < 20: break\n"
        "        argument = argument[: len(argument) // 2]\n"
        "    else:\n"
        "        arguments.append(argument)\n"
        "print('fits', flush=True)\n"
        "os.execve('/bin/true', arguments, bare)\n"
    )
    project.write("big.py", script)
    result = project.run(sys.executable, "big.py")
    assert (result.exit_code, result.stdout) == (0, "fits\n")
    assert result.job is not None
    assert "no_room" in {reason["code"] for reason in result.job["coverage"]["reasons"]}
