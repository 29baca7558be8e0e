"""Compile the programs of the table, each unit once for all its rows."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

import attrs

from roar_core.testing.programs.table import Program, Unit

HEAD = r"""
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

/* Open, read to the end, close. */
static void get(const char *path) {
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    while (read(fd, buffer, sizeof buffer) > 0) {}
    CHECK(!close(fd));
}

/* Write four bytes and close. */
static void put_in(int fd) {
    CHECK(fd >= 0);
    CHECK(write(fd, "new\n", 4) == 4);
    CHECK(!close(fd));
}

static void put(const char *path) { put_in(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644)); }

static void reap(pid_t pid) {
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
}
"""


@attrs.define
class Workshop:
    """Compiles into `folder`; a unit is built when its first program is asked for."""

    folder: Path
    programs: tuple[Program, ...]
    _built: dict[str, Path] = attrs.field(factory=dict)

    def executable(self, unit: Unit) -> Path:
        """The executable of a unit. Raises AssertionError with the compiler's words."""
        if unit.name not in self._built:
            rows = [p for p in self.programs if p.source and p.source.unit == unit]
            build = _build_go if unit.compiler == "go" else _build_c
            self._built[unit.name] = build(self.folder / unit.name, unit, rows)
        return self._built[unit.name]


def _build_c(target: Path, unit: Unit, rows: Iterable[Program]) -> Path:
    tops, functions, calls = [], [], []
    for number, row in enumerate(rows):
        if row.source is None:
            continue
        tops.append(row.source.top)
        functions.append(f"static int row_{number}(void) {{\n{row.source.body}\nreturn 0; }}")
        calls.append(f'if (!strcmp(argv[1], "{row.name}")) return row_{number}();')
    main = f"int main(int argc, char **argv) {{ if (argc < 2) return 98;\n{chr(10).join(calls)}"
    source = target.with_suffix(".c")
    source.write_text("\n".join([HEAD, *tops, *functions, f"{main}\nreturn 98; }}\n"]))
    compiler = os.environ.get("CC", "cc") if unit.compiler == "cc" else f"{unit.compiler}-gcc"
    _compile([*shlex.split(compiler), "-w", "-pthread", "-o", target, source, *unit.flags])
    return target


def _build_go(target: Path, unit: Unit, rows: Iterable[Program]) -> Path:
    (body,) = [row.source.body for row in rows if row.source]
    source = target.with_suffix(".go")
    source.write_text(body)
    # Neither modules nor C: nothing to download, and system calls without a C library.
    _compile(["go", "build", "-o", target, source], GO111MODULE="off", CGO_ENABLED="0")
    return target


def _compile(argv: list[str | Path], **environ: str) -> None:
    done = subprocess.run(
        argv, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.join(map(str, argv))}: {done.stderr}"
