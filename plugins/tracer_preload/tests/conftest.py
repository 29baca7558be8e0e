"""Run small programs under the real library with a real journal, and ask what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core.hookspecs import LaunchPlan
from roar_core.journal import GapCode, Intent, Journal, Kind, Record
from roar_tracer_preload import LIBRARY, PreloadTracer

HEAD = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#define CHECK(x) do { if (!(x)) { perror(#x); exit(99); } } while (0)
extern char **environ;
static char buffer[65536];
"""


@attrs.frozen
class Traced:
    """What one command did, by its exit code, its output and the journal."""

    folder: Path
    code: int
    stdout: bytes
    stderr: bytes
    records: list[Record]
    lost: int
    unreadable: int

    def of(self, kind: Kind) -> list[Record]:
        return [record for record in self.records if record.kind == kind]

    def named(self, kind: Kind) -> list[tuple[str, ...]]:
        """The names in the records of one kind, those inside the folder relative to it."""
        return [tuple(self._relative(s) for s in record.strings) for record in self.of(kind)]

    def opens(self, name: str) -> list[Intent]:
        """The intents with which a file was opened, in order."""
        return [
            Intent(record.value) & ~Intent.APPEND
            for record in self.of(Kind.OPEN)
            if self._relative(record.strings[0]) == name
        ]

    def open_records(self, name: str) -> list[Record]:
        return [r for r in self.of(Kind.OPEN) if self._relative(r.strings[0]) == name]

    def is_unused(self, name: str) -> bool:
        """Whether every reading of the file was proven not to have happened."""
        unused = {record.value for record in self.of(Kind.UNUSED)}
        refs = [r.offset for r in self.open_records(name) if Intent.READ & r.value]
        assert refs, f"{name} was not reported as opened for reading"
        return all(ref in unused for ref in refs)

    def gaps(self) -> set[str]:
        return {GapCode(record.value).code for record in self.of(Kind.GAP)}

    def _relative(self, raw: bytes) -> str:
        return os.fsdecode(raw).removeprefix(f"{self.folder}/")


Build = Callable[..., Path]
Trace = Callable[..., Traced]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where programs run: with `in` ("content") and `empty` in it."""
    folder = (tmp_path / "work").resolve()
    folder.mkdir()
    (folder / "in").write_text("content")
    (folder / "empty").touch()
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Compile the body of a main function (or a whole program) and return the executable."""

    def build(
        body: str, *flags: str, name: str = "program", cc: str = "gcc", whole: bool = False
    ) -> Path:
        source = tmp_path / f"{name}.c"
        main = (
            body
            if whole
            else f"int main(int argc, char **argv) {{ (void)argc, (void)argv;\n{body}\nreturn 0; }}"
        )
        source.write_text(HEAD + main)
        target = tmp_path / name
        done = subprocess.run(
            [cc, "-g", "-w", "-o", target, source, "-lpthread", *flags],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return target

    return build


@pytest.fixture
def trace(folder: Path, tmp_path: Path) -> Iterator[Trace]:
    """Run a command under preload in `folder`; keyword arguments of Journal.create pass through."""
    journals: list[Journal] = []

    def trace(
        *argv: str | Path,
        environ: Mapping[str, str] | None = None,
        around: Callable[[Journal, subprocess.Popen[bytes]], object] | None = None,
        prepare: Callable[[Journal], object] | None = None,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = subprocess.PIPE,
        **settings: Any,
    ) -> Traced:
        uid = uuid.uuid4().hex
        journal = Journal.create(
            tmp_path / f"{uid}.jnl", uid, **{"preimage_wait_ms": 0, **settings}
        )
        journals.append(journal)
        if prepare:
            prepare(journal)
        found = shutil.which(folder / argv[0]) or shutil.which(argv[0])
        assert found is not None, argv
        plan = LaunchPlan(
            program=os.fsencode(found),
            argv=tuple(os.fsencode(word) for word in argv),
            environ={os.fsencode(k): os.fsencode(v) for k, v in (environ or os.environ).items()},
            cwd=folder,
            journal=Path(journal.path),
            run_uid=uid,
            successor=settings.get("successor", b""),
        )
        launch = PreloadTracer().launch(plan)
        child = subprocess.Popen(
            launch.argv,
            env=launch.environ,
            cwd=folder,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        if around:
            around(journal, child)
        out, err = child.communicate(timeout=60)
        return Traced(
            folder,
            child.returncode,
            out or b"",
            err,
            journal.finish(),
            journal.lost,
            journal.unreadable_bytes,
        )

    yield trace
    for journal in journals:
        journal.remove()


@pytest.fixture
def run(build: Build, trace: Trace) -> Callable[..., Traced]:
    """Compile a body, run it, and expect it to end well with nothing lost."""

    def run(body: str, *flags: str, whole: bool = False, code: int = 0, **settings: Any) -> Traced:
        traced = trace(build(body, *flags, whole=whole), **settings)
        assert (traced.code, traced.stderr) == (code, b""), traced
        assert (traced.lost, traced.unreadable) == (0, 0)
        return traced

    return run


@pytest.fixture
def without_us() -> Callable[[Sequence[str | Path], Path], tuple[int, bytes, bytes]]:
    """Run a command bare, to compare with."""

    def bare(argv: Sequence[str | Path], cwd: Path) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return bare


@pytest.fixture
def library() -> Path:
    return LIBRARY
