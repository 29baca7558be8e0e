"""What preload says of the program a run begins with, whatever lies there."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from roar_core.testing.programs import PROGRAMS
from roar_core.testing.programs.building import Workshop
from roar_tracer_preload.programs import gap_of

GAPS = {
    "open-read": None,
    "static": "static",
    "static-position-independent": "static",
    "sanitized": "interposer",
    "musl-alone": "foreign_libc",
    "32-bit": "foreign_abi",
    "go": "direct_calls",
}
NEEDS = {"musl-alone": "musl", "32-bit": "m32", "go": "go"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.needs(NEEDS.get(n, "cc"))) for n in GAPS]
)
def test_a_program_is_of_the_kind_it_was_built_as(name: str, workshop: Workshop) -> None:
    [source] = [program.source for program in PROGRAMS if program.name == name]
    assert source is not None
    path = workshop.executable(source.unit)
    assert gap_of(os.fsencode(path)) == GAPS[name]


@pytest.mark.needs("cc")
def test_a_script_is_as_its_interpreter(workshop: Workshop, tmp_path: Path) -> None:
    [source] = [program.source for program in PROGRAMS if program.name == "static"]
    assert source is not None
    script = tmp_path / "script"
    script.write_text(f"#! {workshop.executable(source.unit)} -x\n")
    assert gap_of(os.fsencode(script)) == "static"
    script.write_text(f"#!{script}\n")
    assert gap_of(os.fsencode(script)) is None


def test_damaged_programs_are_no_surprise(tmp_path: Path) -> None:
    whole = Path(os.path.realpath(sys.executable)).read_bytes()[:8192]
    dice = random.Random(7)
    path = tmp_path / "program"
    for _ in range(500):
        damaged = bytearray(whole[: dice.randrange(4, len(whole))])
        for _ in range(dice.randrange(20)):
            damaged[dice.randrange(4, len(damaged)) if len(damaged) > 4 else 0] = dice.randrange(
                256
            )
        path.write_bytes(damaged)
        gap_of(os.fsencode(path))
    for name in (b"/", b"/dev/null", b"/absent", os.fsencode(tmp_path)):
        assert gap_of(name) is None
