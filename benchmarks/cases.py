"""What is measured: each case is a command, prepared once, whose variants are run in turn."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
WORKLOADS = HERE / "workloads"


class Case(NamedTuple):
    """One command to measure.

    `measure` says which figure the budget is about: `added` (seconds of the whole `roar run` more
    than bare), `program` (ratio of what the program itself took), `whole` (ratio of everything) or
    `after` (seconds between the program's end and roar's). `prepare` is given the project and makes
    what the command reads; `out/` is emptied before every run. `environ` is added for all variants.
    """

    name: str
    what: str
    argv: Callable[[Path], list[str]]
    measure: str
    budget: float
    rounds: int
    stock_rounds: int
    prepare: Callable[[Path], None] = lambda project: None
    environ: Callable[[Path], dict[str, str]] = lambda project: {}


def compiled(folder: Path, workload: str) -> str:
    """The path of a C workload's program, compiled into `folder` when it is not there yet."""
    program = folder / workload
    if not program.exists():
        source = WORKLOADS / f"{workload}.c"
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    return str(program)


def workload(name: str, *arguments: str) -> Callable[[Path], list[str]]:
    """The argv of a C workload, compiled beside the projects, so that it is no part of one."""
    return lambda project: [compiled(project.parent, name), *arguments]


def numbered_files(count: int) -> Callable[[Path], None]:
    """Make in/0.txt … of 4 KiB each, no two alike."""

    def prepare(project: Path) -> None:
        for number in range(count):
            content = f"{number:>15}\n".encode() * 256
            (project / "in" / f"{number}.txt").write_bytes(content)

    return prepare


def c_sources(project: Path) -> None:
    """Make in/Makefile and 60 C files of some 300 lines that include ten headers."""
    names = [f"part{number}" for number in range(60)]
    folder = project / "in"
    for number in range(10):
        lines = [f"static inline int h{number}_{i}(int x) {{ return x * {i}; }}" for i in range(50)]
        (folder / f"h{number}.h").write_text("#pragma once\n" + "\n".join(lines) + "\n")
    includes = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + "".join(
        f'#include "h{number}.h"\n' for number in range(10)
    )
    for name in names:
        functions = "".join(
            f"int {name}_{i}(int x) {{\n    for (int k = 0; k < x; k++)\n"
            f"        x += h{i % 10}_{i % 50}(k);\n    return x;\n}}\n"
            for i in range(60)
        )
        (folder / f"{name}.c").write_text(includes + functions)
    calls = " + ".join(f"{name}_0(1)" for name in names)
    declarations = "".join(f"int {name}_0(int);\n" for name in names)
    (folder / "main.c").write_text(f"{declarations}int main(void) {{ return {calls} < 0; }}\n")
    objects = " ".join(f"../out/{name}.o" for name in [*names, "main"])
    (folder / "Makefile").write_text(
        f"../out/program: {objects}\n\tcc -o $@ $^\n"
        "../out/%.o: %.c $(wildcard *.h)\n\tcc -O1 -c -o $@ $<\n"
    )


def digits_table(project: Path) -> None:
    """Make in/digits.csv: scikit-learn's digits, label first."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = np.column_stack([digits.target, digits.data])
    np.savetxt(project / "in" / "digits.csv", rows, fmt="%d", delimiter=",")


def three_hundred_distributions(project: Path) -> dict[str, str]:
    """A directory on PYTHONPATH with the metadata of 300 distributions, as discovery meets them."""
    folder = project.parent / "distributions"
    if not folder.exists():
        for number in range(300):
            info = folder / f"package_{number}-1.{number}.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: package-{number}\n")
            if number % 3 == 0:
                scripts = f"[console_scripts]\np{number} = package_{number}:main\n"
                (info / "entry_points.txt").write_text(scripts)
    return {"PYTHONPATH": str(folder)}


CASES = (
    Case("start", "`true`", lambda project: ["true"], "added", 0.100, 15, 5),
    Case(
        "start-300",
        "`true`, 300 distributions installed",
        lambda project: ["true"],
        "added",
        0.100,
        15,
        3,
        environ=three_hundred_distributions,
    ),
    Case(
        "reopen",
        "200,000 re-opens of 200 files",
        workload("reopen", "200000", "200", "in"),
        "program",
        1.25,
        7,
        2,
        numbered_files(200),
    ),
    Case(
        "tiny",
        "300,000 one-byte writes",
        workload("tiny", "300000", "out/tiny"),
        "program",
        1.03,
        9,
        3,
    ),
    Case("forks", "300 forks of /bin/true", workload("forks", "300"), "program", 1.15, 9, 3),
    Case(
        "files-5000",
        "5,000 files written and read",
        workload("files", "5000", "out"),
        "added",
        0.6,
        5,
        2,
    ),
    Case(
        "files-20000",
        "20,000 files written and read",
        workload("files", "20000", "out"),
        "after",
        1.5,
        3,
        1,
    ),
    Case(
        "build",
        "a C build, 61 files, `make -j2`",
        lambda project: ["make", "-s", "-j2", "-C", "in"],
        "whole",
        1.05,
        5,
        2,
        c_sources,
    ),
    Case(
        "science",
        "a data-science script (scikit-learn)",
        lambda project: [sys.executable, str(WORKLOADS / "science.py"), "in/digits.csv", "out"],
        "whole",
        1.05,
        5,
        2,
        digits_table,
    ),
)


def make_project(folder: Path, case: Case) -> None:
    """Make `folder` a git repository of 1,000 small files which ignores its in/ and out/."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("in", "out", "src"):
        (folder / part).mkdir(parents=True)
    for number in range(1000):
        (folder / "src" / f"{number}.txt").write_text(f"{number}\n")
    (folder / ".gitignore").write_text("in/\nout/\n.roar/\n")
    case.prepare(folder)
    git = ["git", "-C", str(folder), "-c", "user.name=bench", "-c", "user.email=b@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "-c", "commit.gpgsign=false", "commit", "-qm", "start"], check=True)
