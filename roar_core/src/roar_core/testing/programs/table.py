"""The rows of the table: a small program, and what a tracer has to see of it.

Paths are relative to the folder a program runs in. Every row starts with the file `in` there,
unless it brings its own. A program written in C or Python is a file of that folder as well, and
read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from roar_core.hookspecs import TracerAbilities

CONTENT = "content\n"
PROGRAM = "program"
SCRIPT = "program.py"


def _set(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@attrs.frozen
class Seen:
    """What is to be recorded: inputs, outputs, and the codes of the holes that are admitted."""

    reads: frozenset[str] = attrs.field(default=frozenset(), converter=_set)
    writes: frozenset[str] = attrs.field(default=frozenset(), converter=_set)
    coverage: frozenset[str] = attrs.field(default=frozenset(), converter=_set)


@attrs.frozen
class Unit:
    """How programs are compiled: all C bodies of one unit become one executable.

    `compiler` is the need (`roar_core.testing.needs`) that brings it.
    """

    name: str
    compiler: str = "cc"
    flags: tuple[str, ...] = ()


PLAIN = Unit("plain")


@attrs.frozen
class Source:
    """A program to compile: a C function's body with what goes before it, or a whole Go file."""

    unit: Unit
    body: str
    top: str = ""


@attrs.frozen
class Program:
    """One row.

    `lacking` replaces what is to be seen for a tracer without the ability of that name. `before` is
    a shell line that prepares the folder, untraced. `stdin` and `stdout` name files of the folder
    to start with. `unstable` are patterns of files whose bytes differ from run to run anyway.
    """

    name: str
    argv: tuple[str, ...]
    seen: Seen
    files: Mapping[str, str | bytes] = attrs.field(factory=lambda: {"in": CONTENT})
    lacking: Mapping[str, Seen] = attrs.field(factory=dict)
    source: Source | None = None
    before: str = ""
    stdin: str | None = None
    stdout: str | None = None
    unstable: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def expected(self, abilities: TracerAbilities) -> Seen:
        """What a tracer with these abilities has to see."""
        for ability, seen in self.lacking.items():
            if not getattr(abilities, ability):
                return seen
        return self.seen


def shell(
    name: str,
    line: str,
    *,
    reads: Iterable[str] = (),
    writes: Iterable[str] = (),
    interpreter: str = "sh",
    **more: Any,
) -> Program:
    """A line for `sh -c`, or for another shell."""
    return Program(name, (interpreter, "-c", line), Seen(reads, writes), **more)


def command(
    name: str, *argv: str, reads: Iterable[str] = (), writes: Iterable[str] = (), **more: Any
) -> Program:
    """A command without a shell around it."""
    return Program(name, argv, Seen(reads, writes), **more)


def python(
    name: str,
    code: str,
    *,
    reads: Iterable[str] = (),
    writes: Iterable[str] = (),
    files: Mapping[str, str | bytes] | None = None,
    **more: Any,
) -> Program:
    """A Python script, run by the interpreter that runs the tests."""
    given = {"in": CONTENT} if files is None else files
    return Program(
        name,
        (sys.executable, SCRIPT),
        Seen({SCRIPT, *reads}, writes),
        files={**given, SCRIPT: code},
        **more,
    )


def c(
    name: str,
    body: str,
    *,
    reads: Iterable[str] = (),
    writes: Iterable[str] = (),
    unit: Unit = PLAIN,
    coverage: Iterable[str] = (),
    top: str = "",
    argv: tuple[str, ...] | None = None,
    needs: tuple[str, ...] = (),
    **more: Any,
) -> Program:
    """A C program: the body of a function that `./program NAME` calls, with `HEAD` before it.

    `top` goes before the function, `argv` replaces the command.
    """
    return Program(
        name,
        argv or (f"./{PROGRAM}", name),
        Seen({PROGRAM, *reads}, writes, coverage),
        source=Source(unit, body, top),
        needs=(unit.compiler, *needs),
        **more,
    )
