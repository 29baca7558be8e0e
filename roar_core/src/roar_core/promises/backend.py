"""What roar relies on of a backend in every run, also one that never sees its platform."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roar_core.hookspecs import ExecutionBackend, RunContext
from roar_core.promises.audit import started_processes, touched_files
from roar_core.promises.promise import Complaint, promise

# Commands and files that are nobody's, whatever the commands may start inside.
ORDINARY_COMMANDS = (
    *(("true",), ("python", "train.py"), ("sh", "-c", "echo submit"), ("make", "-j4")),
)
ORDINARY_FILES = ("data.csv", "train.py", "model.pkl", "params.yaml", "out/part-0.parquet")
ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/home/ada", "ODD": "a=b\nc"}
_ODD_COMMANDS = (("\udcff",), ("", ""))


@promise("it collects every so many seconds, 0 for never meanwhile")
def says_how_often(backend: ExecutionBackend) -> Iterator[Complaint]:
    every_s = backend.collect_every_s
    if isinstance(every_s, bool) or not isinstance(every_s, int | float) or every_s < 0:
        yield Complaint(f"its collect_every_s is {every_s!r}", "give a number of seconds from 0")


@promise("it takes no ordinary command for its platform's")
def detects_nothing_ordinary(backend: ExecutionBackend) -> Iterator[Complaint]:
    for argv in ORDINARY_COMMANDS:
        if (match := backend.detect(argv, ENVIRON, Path("/"))) is not None:
            yield Complaint(
                f"it claims `{' '.join(argv)}` with {match!r}",
                "claim the client's own command line; adopt is called for every other run",
            )


@promise("detect() is pure: it looks at words, and answers the same again")
def detects_by_words(backend: ExecutionBackend) -> Iterator[Complaint]:
    commands = (*ORDINARY_COMMANDS, *_ODD_COMMANDS)
    first = [backend.detect(argv, dict(ENVIRON), Path("/")) for argv in commands]
    with started_processes() as started, touched_files() as touched:
        again = [backend.detect(argv, dict(ENVIRON), Path("/")) for argv in commands]
    if first != again:
        yield Complaint("detect() changes its mind", "decide by the words alone")
    for what in {*started, *touched}:
        yield Complaint(f"detect() calls {what}", "every run asks: open and start nothing")


@promise("it claims no ordinary file")
def claims_nothing_ordinary(backend: ExecutionBackend) -> Iterator[Complaint]:
    with imagined_run() as run:
        for name in ORDINARY_FILES:
            if (answer := backend.claims(run, run.project / name)) is not False:
                yield Complaint(
                    f"claims() says {answer!r} of {name}", "name what only the platform writes"
                )


@promise("adopt() starts nothing, and returns variables to add")
def adopts_cheaply(backend: ExecutionBackend) -> Iterator[Complaint]:
    environ = dict(ENVIRON)
    with imagined_run() as run, started_processes() as started:
        added = backend.adopt(run, environ)
    for what in started:
        yield Complaint(f"adopt() calls {what}", "every run is adopted: start nothing")
    if not all(isinstance(text, str) for pair in added.items() for text in pair):
        yield Complaint(f"adopt() returns {added!r}", "return text by name")
    if environ != ENVIRON:
        yield Complaint("adopt() changes the variables it is given", "return those to add")


PROMISES = (
    says_how_often,
    detects_nothing_ordinary,
    detects_by_words,
    claims_nothing_ordinary,
    adopts_cheaply,
)


@contextmanager
def imagined_run() -> Iterator[RunContext]:
    """A run of `true` with a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="roar-check-") as folder:
        project = Path("/home/ada/project")
        yield RunContext("ab" * 16, ("true",), project, project, Path(folder))
