"""A project whose every run is observed by ptrace alone, and a compiler for small programs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roar_core.testing.programs.building import HEAD
from roar_core.testing.projects import ProjectUnderTest
from roar_tracer_ptrace import PtraceTracer

Build = Callable[..., Path]


@pytest.fixture
def traced(project: ProjectUnderTest) -> ProjectUnderTest:
    """The project; `run` takes ptrace and nothing else."""
    assert PtraceTracer().preflight().ok
    project.environ |= {"ROAR_RUN__TRACER": "ptrace", "ROAR_RUN__FALLBACK": "false"}
    project.write("in", "content\n")
    return project


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Compile the body of a main function with `HEAD` before it; return the executable."""

    def build(body: str, *flags: str, top: str = "", name: str = "program") -> Path:
        source, target = tmp_path / f"{name}.c", tmp_path / name
        main = f"int main(int argc, char **argv) {{ (void)argc; (void)argv;\n{body}\nreturn 0; }}\n"
        source.write_text(f"{HEAD}{top}\n{main}")
        subprocess.run(["cc", "-w", "-pthread", "-o", target, source, *flags], check=True)
        return target

    return build
