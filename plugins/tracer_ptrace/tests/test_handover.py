"""preload goes as far as it can, and hands the rest over: one run, one record."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest, Result

COPY = 'get("in"); put(argv[1]); return argc > 2 ? 7 : 0;'


def codes(ran: Result) -> list[str]:
    assert ran.job is not None, ran.stderr
    return [reason["code"] for reason in ran.job["coverage"]["reasons"]]


@pytest.fixture
def static(project: ProjectUnderTest, build: Callable[..., Path]) -> str:
    """A static program that reads `in` and writes its first argument; with a second it fails."""
    project.write("in", "content\n")
    project.environ["ROAR_RUN__TRACER"] = "preload"
    program = build(COPY, "-static", name="static")
    program.rename(project.root / "static")
    return "./static"


@pytest.mark.needs("cc")
def test_the_command_itself(project: ProjectUnderTest, static: str) -> None:
    ran = project.run(static, "out", "fail")
    assert ran.exit_code == 7
    assert (ran.reads, ran.writes, codes(ran)) == ({"static", "in"}, {"out"}, [])


@pytest.mark.needs("cc")
def test_a_program_among_others_and_what_it_starts(project: ProjectUnderTest, static: str) -> None:
    line = f"cat in > one; {static} two; env -i {static} three; cat two three > four"
    ran = project.run("sh", "-c", line)
    assert ran.exit_code == 0, ran.stderr
    assert ran.reads == {"static", "in"}
    assert ran.writes == {"one", "two", "three", "four"}
    assert codes(ran) == []
    assert ran.job is not None
    assert ran.job["tracer"] == "preload"


@pytest.mark.needs("cc")
def test_the_strict_keep_to_one_tracer(project: ProjectUnderTest, static: str) -> None:
    project.environ["ROAR_RUN__FALLBACK"] = "false"
    ran = project.run("sh", "-c", f"{static} out; cat in")
    assert ran.exit_code == 0
    assert (ran.writes, codes(ran)) == (set(), ["static"])


@pytest.mark.needs("cc")
def test_its_signals_are_its_own(project: ProjectUnderTest, static: str) -> None:
    ran = project.run("sh", "-c", f"{static} out; kill -TERM $$")
    assert ran.exit_code == -signal.SIGTERM
    assert ran.writes == {"out"}


@pytest.mark.needs("cc")
def test_many_at_once_lose_nothing(project: ProjectUnderTest, static: str) -> None:
    ran = project.run("sh", "-c", f"seq 40 | xargs -P 8 -I{{}} {static} out{{}}")
    assert ran.exit_code == 0, ran.stderr
    assert ran.writes == {f"out{number}" for number in range(1, 41)}
    assert codes(ran) == []


@pytest.mark.needs("go")
def test_a_go_program(project: ProjectUnderTest, static: str, tmp_path: Path) -> None:
    source = tmp_path / "copy.go"
    source.write_text(
        'package main\nimport "os"\nfunc main() { b, _ := os.ReadFile("in");'
        ' os.WriteFile("out", b, 0644) }\n'
    )
    subprocess.run(
        ["go", "build", "-o", project.root / "copy", source],
        check=True,
        env={**os.environ, "HOME": str(tmp_path), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"},
    )
    ran = project.run("sh", "-c", "./copy")
    assert (ran.reads, ran.writes, codes(ran)) == ({"copy", "in"}, {"out"}, [])
