"""`roar tracer check NAME -- COMMAND`: whether a tracer sees that command, tried for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest

STATIC = '#include <stdio.h>\nint main(void) { puts("hello"); return fopen("in", "r") ? 0 : 1; }\n'


@pytest.fixture
def static_program(project: ProjectUnderTest, tmp_path: Path) -> str:
    project.write("in", "x")
    source = tmp_path / "static.c"
    source.write_text(STATIC)
    subprocess.run(["cc", "-static", "-o", project.root / "static", source], check=True)
    return "./static"


@pytest.mark.needs("cc")
def test_a_command_that_a_tracer_cannot_see_makes_it_unusable_for_that(
    project: ProjectUnderTest, static_program: str
) -> None:
    done = project.roar("tracer", "check", "preload", "--", static_program)
    assert done.exit_code == 1
    assert f"static: {project.root}/static" in done.stdout
    assert "because it did not see all of ./static" in done.stdout
    assert "hello" not in done.stdout


@pytest.mark.needs("cc")
def test_a_command_that_is_seen_is_said_to_be(
    project: ProjectUnderTest, static_program: str, each_tracer: str
) -> None:
    command = static_program if each_tracer != "preload" else "cat"
    done = project.roar("tracer", "check", each_tracer, "--", command)
    assert done.exit_code == 0, done.stdout
    assert "ok  trial: exit 0, programs seen: 1" in done.stdout
    assert project.roar("log").stdout.count("@") == 0


def test_a_command_that_is_not_there_is_one_sentence(project: ProjectUnderTest) -> None:
    done = project.roar("tracer", "check", "preload", "--", "nonesuch")
    assert done.exit_code != 0
    assert "command not found: nonesuch" in done.stderr
    assert "Traceback" not in done.stderr
