"""Run one program twice, bare and under `roar run`, in the same place with the same files."""

from __future__ import annotations

import errno
import fnmatch
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs

from roar_core.model.job import Edge, Job
from roar_core.testing.programs.building import Workshop
from roar_core.testing.programs.table import PROGRAM, Program
from roar_core.testing.projects import TIMEOUT_S, ProjectUnderTest

# Older than any clock's grain, and the same in both runs.
_SETTLED_S = 1_600_000_000
_SETTINGS = {
    # A busy machine must not decide what is recorded.
    "ROAR_HASH__PREIMAGE_WAIT": "20",
    "ROAR_RUN__GRACE": "20",
}
_STEADY = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "1600000000 +0000",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": "1600000000 +0000",
    "GIT_CONFIG_NOSYSTEM": "1",
}

# Permissions and content, or the target of a symbolic link.
Entry = tuple[int, bytes | str]


@attrs.frozen
class Ending:
    """How a command ended, and the files it left, by their names relative to its folder."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    files: Mapping[str, Entry]


@attrs.frozen
class Twins:
    """The same program bare and traced; `before` are the files it found, `job` the record."""

    before: Mapping[str, Entry]
    bare: Ending
    traced: Ending
    job: Job
    folder: Path

    @property
    def reads(self) -> dict[str, Edge]:
        """The inputs by their paths relative to the folder the program ran in."""
        return {os.path.relpath(edge.path, self.folder): edge for edge in self.job.inputs}

    @property
    def writes(self) -> dict[str, Edge]:
        """The outputs, in the same form."""
        return {os.path.relpath(edge.path, self.folder): edge for edge in self.job.outputs}


def run_twins(
    program: Program, tracer: str, project: ProjectUnderTest, workshop: Workshop
) -> Twins:
    """Run a program bare, put everything back, and run it under the tracer of that name."""
    folder = project.root / "work"
    environ = {**project.environment(), **_STEADY, **_SETTINGS}
    _prepare(folder, program, environ, workshop)
    bare = _run(program.argv, program, folder, environ)
    shutil.rmtree(folder)
    shutil.rmtree(project.root / "beside", ignore_errors=True)
    _prepare(folder, program, environ, workshop)
    before = dict(_files(folder))
    only = ("--tracer", tracer, "--no-fallback")
    roar = (*project.roar_argv, "run", "--quiet", *only, "--", *program.argv)
    traced = _run(roar, program, folder, environ)
    return Twins(before, bare, traced, _newest_job(folder, traced), folder)


def _prepare(
    folder: Path, program: Program, environ: Mapping[str, str], workshop: Workshop
) -> None:
    folder.mkdir()
    for name, content in program.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (_SETTLED_S, _SETTLED_S))
    if program.source is not None:
        shutil.copy2(workshop.executable(program.source.unit), folder / PROGRAM)
    if program.before:
        subprocess.run(["sh", "-c", program.before], cwd=folder, env=environ, check=True)


def _run(
    argv: tuple[str, ...], program: Program, folder: Path, environ: Mapping[str, str]
) -> Ending:
    with ExitStack() as files:

        def stream(name: str | None, mode: str, otherwise: int) -> Any:
            return otherwise if name is None else files.enter_context((folder / name).open(mode))

        done = subprocess.run(
            argv,
            cwd=folder,
            env=environ,
            stdin=stream(program.stdin, "rb", subprocess.DEVNULL),
            stdout=stream(program.stdout, "wb", subprocess.PIPE),
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=False,
        )
    return Ending(done.returncode, done.stdout or b"", done.stderr, dict(_files(folder)))


def _files(folder: Path) -> Iterator[tuple[str, Entry]]:
    """Everything below `folder` and beside it, but for roar's own."""
    for top in (folder, folder.parent / "beside"):
        for path, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if name != ".roar")
            for name in (*folders, *names):
                whole = f"{path}/{name}"
                yield os.path.relpath(whole, folder), _entry(whole)


def _entry(path: str) -> Entry:
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return 0, b""  # deeper than a path can name
    if stat.S_ISLNK(mode):
        return mode, os.readlink(path)  # noqa: PTH115 - any bytes
    return mode, Path(path).read_bytes() if stat.S_ISREG(mode) else b""


def without_unstable(files: Mapping[str, Entry], patterns: tuple[str, ...]) -> dict[str, Entry]:
    """The files, those whose bytes never repeat with their names only."""
    return {
        name: (entry[0], b"") if any(fnmatch.fnmatch(name, p) for p in patterns) else entry
        for name, entry in files.items()
    }


def _newest_job(folder: Path, traced: Ending) -> Job:
    from roar_core.project import find_project
    from roar_core.store.queries import Queries

    project = find_project(folder)
    assert project.database.exists(), f"nothing was recorded: {traced.stderr.decode()}"
    with Queries.open(project.roar_dir, read_only=True) as store:
        return store.jobs_of_session()[-1]
