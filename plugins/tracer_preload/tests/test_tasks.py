"""Workers: a program waits, attaches itself to a journal of its own, and says for whom its threads work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core.journal import Kind, Record, TaskEvent, open_existing
from roar_tracer_preload import LIBRARY

DOCS = Path(__file__).resolve().parents[3] / "docs" / "journal.md"
WAITING = {"LD_PRELOAD": str(LIBRARY), "ROAR_TRACE": "4:wait"}

# What an agent does, with the code that docs/journal.md gives it.
AGENT = """
import ctypes, sys, threading, subprocess
library = ctypes.CDLL({library!r})
library.roar_task_is.argtypes = [ctypes.c_uint64]
library.roar_task_is.restype = None
library.roar_task_tell.argtypes = [ctypes.c_uint64, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
def tell(tag, event, json=b""):
    assert library.roar_task_tell(tag, event, json, len(json)) == 0
task_is, attach = library.roar_task_is, library.roar_attach
def read(name):
    with open(name, "rb") as file:
        return file.read()
"""


def example() -> str:
    (code,) = re.findall(
        r"```python\n(import os, struct, time\n.*?)```", DOCS.read_text(), re.DOTALL
    )
    return code


@attrs.frozen
class Worked:
    folder: Path
    journal: Path
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[Record]:
        found = open_existing(self.journal)
        assert (found.lost, found.unreadable_bytes) == (0, 0)
        return found.records

    def tags(self, name: str) -> list[int]:
        """For which tags a file was opened, told by the threads that said so."""
        tags: dict[int, int] = {}
        found = []
        for record in self.records:
            if record.kind == Kind.TASK_IS:
                tags[record.tid] = record.value
            if record.kind == Kind.OPEN and record.strings[0] == os.fsencode(self.folder / name):
                found.append(tags.get(record.tid, -1))
        return found


Work = Callable[..., Worked]


@pytest.fixture
def work(folder: Path, tmp_path: Path) -> Work:
    """Run a worker in Python; `journal` is where its journal is to lie."""

    def work(body: str, room: int = 1 << 20, **environ: str) -> Worked:
        journal = tmp_path / "worker.jnl"
        head = f"journal = {str(journal)!r}\nroom = {room}\nfd = make_journal(journal, room)\n"
        script = tmp_path / "worker.py"
        script.write_text(example() + AGENT.format(library=str(LIBRARY)) + head + body)
        done = subprocess.run(
            [sys.executable, "-S", script],
            env={**os.environ, **WAITING, **environ},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Worked(folder, journal, done.returncode, done.stdout, done.stderr)

    return work


def test_a_waiting_program_and_its_children_are_left_alone(work: Work) -> None:
    worked = work("read('in'); subprocess.run(['cat', 'in'], check=True)")
    assert (worked.code, worked.out, worked.err) == (0, "content", "")
    assert worked.records == []


def test_two_threads_that_read_one_file_are_told_apart(work: Work) -> None:
    worked = work(
        """assert attach(journal.encode()) == 0
def task(tag):
    task_is(tag); tell(tag, 1, b"{}"); read("in"); tell(tag, 2)
threads = [threading.Thread(target=task, args=(tag,)) for tag in (7, 8)]
[t.start() for t in threads]; [t.join() for t in threads]
read("empty")
"""
    )
    assert (worked.code, worked.err) == (0, "")
    assert sorted(worked.tags("in")) == [7, 8]
    assert worked.tags("empty") == [-1]
    told = [(r.value >> 8, TaskEvent(r.value & 255)) for r in worked.records if r.kind == Kind.TASK]
    assert sorted(told) == sorted(
        (tag, event) for tag in (7, 8) for event in (TaskEvent.BEGIN, TaskEvent.SUCCEEDED)
    )
    assert worked.records[0].kind == Kind.START


def test_every_reading_of_a_file_is_told(work: Work) -> None:
    worked = work(
        """assert attach(journal.encode()) == 0
for tag in range(1, 6):
    task_is(tag); read("in"); open("out", "a").close(); task_is(0); read("in")
"""
    )
    assert (worked.code, worked.err) == (0, "")
    assert worked.tags("in") == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    assert worked.tags("out") == [1, 2, 3, 4, 5]


def test_attaching_fails_with_a_reason_and_may_be_tried_again(work: Work) -> None:
    worked = work(
        """import errno
assert attach(None) == errno.EINVAL and attach(b"relative") == errno.EINVAL
assert attach(b"/no/such") == errno.ENOENT and attach(__file__.encode()) == errno.EINVAL
assert attach(b"/" + b"x" * 5000) == errno.EINVAL
assert library.roar_task_tell(1, 1, b"", 0) == errno.ENOTCONN
assert attach(journal.encode()) == 0 and attach(journal.encode()) == errno.EBUSY
assert library.roar_task_tell(1 << 56, 1, b"", 0) == errno.EINVAL
assert library.roar_task_tell(1, 256, b"", 0) == errno.EINVAL
assert library.roar_task_tell(1, 1, b"x" * (1 << 18), 1 << 18) == errno.EMSGSIZE
"""
    )
    assert (worked.code, worked.err) == (0, "")


def test_a_platforms_worker_is_no_hole_in_the_run_around_it(
    trace: Callable[..., Any], folder: Path
) -> None:
    """The driver's run starts the platform, whose workers wait for journals of their own."""
    waiting = ["env", *(f"{name}={value}" for name, value in WAITING.items()), "cat", "in"]
    program = f"import subprocess; subprocess.run({waiting!r}, check=True)"
    spawning = f"import os; os.waitpid(os.posix_spawn('/bin/cat', ['cat', 'in'], {WAITING!r}), 0)"
    traced = trace(sys.executable, "-S", "-c", f"{program}; {spawning}")
    assert (traced.code, traced.stdout) == (0, b"contentcontent")
    executed = {record.strings[0].rpartition(b"/")[2] for record in traced.of(Kind.EXEC)}
    assert executed == {b"env"}
    assert traced.opens("in") == []
    assert traced.gaps() == set()
