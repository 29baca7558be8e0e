"""Whichever tracer observes it, a run has the same inputs, outputs and hashes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from roar_core.testing.projects import ProjectUnderTest

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples/digits"
DATA = {"data/train.csv", "data/test.csv"}
BALANCE = "cut -d, -f1 data/test.csv | sort | uniq -c > data/balance.txt"
# What each step of examples/digits/demo.sh reads and writes.
PIPELINE = (
    (("python", "prepare.py"), {"prepare.py"}, DATA),
    (
        ("python", "train.py"),
        {"params.toml", "train.py", "data/train.csv"},
        {"models/model.npz"},
    ),
    (
        ("python", "evaluate.py"),
        {"evaluate.py", "data/test.csv", "models/model.npz"},
        {"report.json"},
    ),
    (("sh", "-c", BALANCE), {"data/test.csv"}, {"data/balance.txt"}),
)

MAKEFILE = """\
parts = one two three four five six
program: $(parts:%=%.o) main.o
\tcc -o $@ $^
%.o: %.c parts.h
\tcc -O1 -c -o $@ $<
libparts.a: $(parts:%=%.o)
\tar rcs $@ $^
all: program libparts.a
\t./program > result
"""
PARTS = ("one", "two", "three", "four", "five", "six")


def c_project(project: ProjectUnderTest) -> None:
    """A small real C project: a header, six parts, a library, a program, and its output."""
    project.write("Makefile", MAKEFILE)
    project.write("parts.h", "".join(f"int {name}(int);\n" for name in PARTS))
    for name in PARTS:
        body = f"int {name}(int x) {{ return abs(x) + 1; }}\n"
        project.write(f"{name}.c", f'#include "parts.h"\n#include <stdlib.h>\n{body}')
    calls = " + ".join(f"{name}(1)" for name in PARTS)
    body = f'int main(void) {{ printf("%d\\n", {calls}); return 0; }}\n'
    project.write("main.c", f'#include <stdio.h>\n#include "parts.h"\n{body}')


Edges = dict[str, str | None]


def edges(job: Mapping[str, Any], side: str) -> Edges:
    return {edge["relative"] or edge["path"]: edge["hash"] for edge in job[side]}


def recorded(project: ProjectUnderTest, *command: str) -> tuple[Edges, Edges]:
    """What one run read and wrote, with hashes; it must succeed and be completely seen."""
    ran = project.run(*command)
    assert ran.exit_code == 0, ran.stderr
    assert ran.job is not None
    assert ran.job["coverage"]["state"] == "complete", ran.job["coverage"]
    return edges(ran.job, "inputs"), edges(ran.job, "outputs")


def assert_exact(project: ProjectUnderTest, found: Edges) -> None:
    """Nothing changes an input here, so all hashes are those of what is there now."""
    for path, digest in found.items():
        assert digest == f"blake3:{blake3((project.root / path).read_bytes()).hexdigest()}", path


@pytest.mark.slow
@pytest.mark.needs("cc", "make")
def test_a_parallel_build(project: ProjectUnderTest, each_tracer: str) -> None:
    c_project(project)
    reads, writes = recorded(project, "make", "-s", "-j2", "all")
    sources = {"Makefile", "parts.h", "main.c", *(f"{name}.c" for name in PARTS)}
    objects = {"main.o", *(f"{name}.o" for name in PARTS)}
    assert set(reads) == sources
    assert set(writes) == objects | {"program", "libparts.a", "result"}
    assert_exact(project, reads | writes)


@pytest.mark.slow
def test_the_example_pipeline(project: ProjectUnderTest, each_tracer: str) -> None:
    for name in ("prepare.py", "train.py", "evaluate.py", "params.toml"):
        shutil.copy(DIGITS / name, project.root)
    for command, reads, writes in PIPELINE:
        seen = recorded(project, *command)
        assert (set(seen[0]), set(seen[1])) == (reads, writes), command
        assert_exact(project, seen[0] | seen[1])
