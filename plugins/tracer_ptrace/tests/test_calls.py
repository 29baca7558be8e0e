"""The table of system calls says what the kernel's headers say, for every machine.

The aarch64 table is compared and compiled, not run: there is no such machine here.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[1] / "native"
INCLUDE = Path(__file__).parents[3] / "roar_core/src/roar_core/include"
ROW = re.compile(r"^CALL\((\w+), (-?\d+), (-?\d+), (-?\d+), \w+\)$", re.MULTILINE)
HEADERS = {
    "x86-64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "i386": "/usr/include/x86_64-linux-gnu/asm/unistd_32.h",
}
CROSS = (
    *("clang", "--target=aarch64-linux-gnu", "-isystem", "/usr/aarch64-linux-gnu/include"),
    *("-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}"),
)


def rows() -> dict[str, tuple[int, int, int]]:
    text = (NATIVE / "calls.def").read_text()
    found = {name: (int(a), int(b), int(c)) for name, a, b, c in ROW.findall(text)}
    assert len(found) == text.count("\nCALL(")
    return found


def names_on(machine: str, name: str) -> tuple[str, ...]:
    """What the headers of a machine call the call that we know as `name`."""
    if machine != "i386":
        return (name,)
    # The 16-bit calls came first there and kept the short names; mmap was a struct's address.
    if name.endswith("16"):
        return (name.removesuffix("16"),)
    return {"old_mmap": ("mmap",), "mmap": ()}.get(name, (f"{name}32", name))


def numbers(headers: str) -> dict[str, int]:
    pairs = re.findall(r"#define __NR(?:3264)?_(\w+) +(?:__NR3264_\w+|(\d+))", headers)
    return {name: int(number) for name, number in pairs if number}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    column = 0 if machine == "x86-64" else 1
    known = numbers(Path(HEADERS[machine]).read_text())
    for name, all_numbers in rows().items():
        number = all_numbers[column]
        there = [known[each] for each in names_on(machine, name) if each in known]
        assert number == (there[0] if there else -1), name


def test_the_aarch64_numbers_are_those_of_the_generic_table() -> None:
    known = numbers(Path("/usr/include/asm-generic/unistd.h").read_text())
    # Its 64-bit calls have the plain names; a 32-bit machine's table adds what ours has not.
    for name, (_, _, number) in rows().items():
        expected = known.get(name, -1) if not name.endswith(("16", "64")) else -1
        assert number == expected, name


@pytest.mark.needs("aarch64")
def test_it_compiles_for_aarch64_without_a_warning(tmp_path: Path) -> None:
    for source in sorted(NATIVE.glob("*.c")):
        argv = [*CROSS, "-c", "-o", tmp_path / f"{source.stem}.o", source]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.needs("cc")
def test_the_filter_asks_for_what_changes_or_reads_and_for_nothing_else(tmp_path: Path) -> None:
    """Every path through the filter is one the kernel's checker accepts, and short enough."""
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "filter.h"\n'
        "int main(void) { struct sock_filter f[FILTER_MAX];"
        ' printf("%zu\\n", filter_build(f)); return 0; }\n'
    )
    sources = (tmp_path / "main.c", NATIVE / "filter.c", NATIVE / "calls.c")
    program = tmp_path / "length"
    subprocess.run(["cc", "-D_GNU_SOURCE", f"-I{NATIVE}", "-o", program, *sources], check=True)
    length = int(subprocess.run([program], capture_output=True, check=True).stdout)
    assert 100 < length < 512
