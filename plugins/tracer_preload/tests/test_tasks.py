"""Workers: a program waits, attaches itself to a journal of its own, and says for whom its threads work."""

from __future__ import annotations

import ast
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
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import TaskFragment
from roar_core.task_journal import ToldTasks, read_tasks
from roar_tracer_preload import LIBRARY

DOCS = Path(__file__).resolve().parents[3] / "docs" / "journal.md"
WAITING = {"LD_PRELOAD": str(LIBRARY), "ROAR_TRACE": "4:wait"}

VARIABLES = (
    "import os; names = ('LD_PRELOAD', 'ROAR_TRACE', 'A')\n"
    "print({name: text for name, text in os.environ.items() if name in names})"
)

# What an agent does, with the code that docs/journal.md gives it.
AGENT = """
import ctypes, sys, threading, subprocess
library = ctypes.CDLL(LIBRARY)
library.roar_task_is.argtypes = [ctypes.c_uint64]
library.roar_task_is.restype = None
library.roar_task_tell.argtypes = [ctypes.c_uint64, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
def tell(tag, event, json=b""):
    assert library.roar_task_tell(tag, event, json, len(json)) == 0
task_is, attach = library.roar_task_is, library.roar_attach
def read(name):
    with open(name, "rb") as file:
        return file.read()
def write(name):
    with open(name, "wb") as file:
        file.write(b"new")
def begin(tag):
    task_is(tag); tell(tag, 1, b'{"task": "t%d", "name": "f"}' % tag)
def end(tag, event=2):
    tell(tag, event); task_is(0)
def attached():
    assert attach(journal.encode()) == 0
    tell(0, 0, b'{"node": "n", "capture": "native"}')
def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    [thread.start() for thread in threads]; [thread.join() for thread in threads]
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

    def told(self) -> ToldTasks:
        """What the journal tells when all is over."""
        project = os.fspath(self.folder)
        return read_tasks(self.journal.read_bytes(), "j", project=project, is_final=True)

    def files(self, fragment: TaskFragment) -> tuple[list[str], list[str]]:
        """What a task read and wrote in the folder."""
        start = f"{self.folder}/"
        return tuple(
            [file.path.removeprefix(start) for file in files if file.path.startswith(start)]
            for files in (fragment.read, fragment.written)
        )

    def by_task(self) -> dict[str, tuple[list[str], list[str]]]:
        return {each.task: self.files(each) for each in self.told().attempts if each.part == "j"}


Work = Callable[..., Worked]


@pytest.fixture
def work(folder: Path, tmp_path: Path) -> Work:
    """Run a worker in Python; `journal` is where its journal is to lie."""

    def work(body: str, room: int = 1 << 20, **environ: str) -> Worked:
        journal = tmp_path / "worker.jnl"
        head = f"LIBRARY, journal = {str(LIBRARY)!r}, {str(journal)!r}\nroom = {room}\nfd = make_journal(journal, room)\n"
        script = tmp_path / "worker.py"
        script.write_text(example() + head + AGENT + body)
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


@pytest.mark.parametrize("call", ["subprocess.run(argv, env=env)", "os.execve(argv[0], argv, env)"])
@pytest.mark.parametrize(
    ("given", "added"),
    [
        ({"ROAR_TRACE": "4:wait"}, {"LD_PRELOAD": str(LIBRARY)}),
        (
            {"ROAR_TRACE": "4:wait", "LD_PRELOAD": "libm.so.6"},
            {"LD_PRELOAD": f"libm.so.6:{LIBRARY}"},
        ),
        ({"ROAR_TRACE": "0:/other.jnl"}, {}),
        ({"A": "1"}, {}),
    ],
)
def test_a_waiting_program_hands_the_waiting_down(
    work: Work, call: str, given: dict[str, str], added: dict[str, str]
) -> None:
    """Ray's raylet clears LD_PRELOAD for its workers; who is done with it is let go."""
    body = f"import os; argv = [sys.executable, '-S', '-c', {VARIABLES!r}]; env = {given!r}; {call}"
    worked = work(body)
    assert (worked.code, worked.err) == (0, "")
    assert worked.records == []
    assert ast.literal_eval(worked.out) == {**given, **added}


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


def test_a_library_that_is_not_preloaded_sees_nothing_and_says_so(work: Work) -> None:
    worked = work("import errno; assert attach(journal.encode()) == errno.ENOTSUP", LD_PRELOAD="")
    assert (worked.code, worked.err) == (0, "")


def test_what_is_opened_and_not_read_is_no_input(work: Work) -> None:
    worked = work(
        """attached(); begin(1)
os.close(os.open("in", os.O_RDONLY))
os.close(os.open("empty", os.O_RDONLY)); end(1)
begin(2); other = os.open("in", os.O_RDONLY); end(2); os.close(other)
begin(3); other = os.open("in", os.O_RDONLY); os.closerange(other, other + 1); end(3)
"""
    )
    assert (worked.code, worked.err) == (0, "")
    # An empty file is read by looking at it. Task 2 might have read it, as far as was known then.
    assert worked.by_task() == {"t1": (["empty"], []), "t2": (["in"], []), "t3": (["in"], [])}


# Task 1 makes processes in every way while task 2 runs, so that nothing is known by there being one.
PROCESSES = {
    "subprocess": "subprocess.run(['cat', 'in'], check=True, stdout=subprocess.DEVNULL)",
    "posix_spawn": "os.waitpid(os.posix_spawn('/bin/cat', ['cat', 'in'], os.environ), 0)",
    "fork": "pid = os.fork() or (read('in'), os._exit(0)); os.waitpid(pid, 0)",
    "fork and exec": "pid = os.fork() or os.execv('/bin/cat', ['cat', 'in']); os.waitpid(pid, 0)",
    "grandchild": "subprocess.run('cat in; true', shell=True, check=True)",
    "without our variables": "subprocess.run(['/bin/cat', 'in'], env={}, check=True)",
    "system": "os.system('cat in > /dev/null')",
    "popen": "os.popen('cat in').read()",
    "a thread of a fork": "pid = os.fork() or (together(lambda: read('in')), os._exit(0)); os.waitpid(pid, 0)",
}


@pytest.mark.parametrize("how", PROCESSES)
def test_a_process_works_for_the_task_of_the_thread_that_made_it(work: Work, how: str) -> None:
    worked = work(
        f"""attached(); other, done = threading.Event(), threading.Event()
def one():
    other.wait(); begin(1)
    {PROCESSES[how]}
    end(1); done.set()
def two():
    begin(2); read("empty"); other.set(); done.wait(); write("out"); end(2)
together(one, two)
"""
    )
    assert (worked.code, worked.err) == (0, "")
    assert worked.by_task() == {"t1": (["in"], []), "t2": (["empty"], ["out"])}
    assert [each.coverage for each in worked.told().attempts] == [(), ()]


def test_who_may_be_meant_says_so(work: Work) -> None:
    """A thread that nobody told of may work for either task."""
    worked = work(
        """attached(); other, done = threading.Event(), threading.Event()
def nobody():
    other.wait(); read("in"); subprocess.run("cat in > copy", shell=True, check=True); done.set()
def one():
    begin(1); begin(2); other.set(); done.wait(); end(1); end(2)
together(nobody, one)
begin(3); task_is(0); together(lambda: (read("in"), write("third"))); end(3)
"""
    )
    assert (worked.code, worked.err) == (0, "")
    told = worked.told()
    assert worked.by_task() == {"t1": ([], []), "t2": ([], []), "t3": (["in"], ["third"])}
    codes = {each.task: [reason.code for reason in each.coverage] for each in told.attempts}
    assert codes == {"t1": ["ambiguous"], "t2": ["ambiguous"], "t3": []}
    assert told.worker is not None
    assert worked.files(told.worker) == (["in"], ["copy"])
    assert "ambiguous" in [reason.code for reason in told.worker.coverage]


POOL = """
static int work[2]; static const char *volatile name; static pthread_t thread; static pthread_barrier_t go, done;
static void *serve(void *x) {
    for (;;) { pthread_barrier_wait(&go); if (!name) return 0; int fd = open(name, O_RDONLY); CHECK(fd >= 0);
        read(fd, buffer, 9); close(fd); pthread_barrier_wait(&done); } }
void pool_read(const char *path) {
    if (!thread) { pthread_barrier_init(&go, 0, 2); pthread_barrier_init(&done, 0, 2); pthread_create(&thread, 0, serve, 0); }
    name = path; pthread_barrier_wait(&go); pthread_barrier_wait(&done); }
"""


def test_a_pools_thread_works_for_its_maker_and_later_for_the_only_task(
    work: Work, build: Callable[..., Path], tmp_path: Path
) -> None:
    pool = build(POOL, "-shared", "-fPIC", name="pool.so", whole=True)
    worked = work(
        f"""pool = ctypes.CDLL({str(pool)!r}); attached(); other, done = threading.Event(), threading.Event()
def one():
    other.wait(); begin(1); pool.pool_read(b"in"); end(1); done.set()
def two():
    begin(2); other.set(); done.wait(); end(2)
together(one, two)
begin(3); pool.pool_read(b"empty"); end(3)
pool.pool_read(b"in")
begin(4); begin(5); pool.pool_read(b"in"); end(4); end(5)
"""
    )
    assert (worked.code, worked.err) == (0, "")
    assert worked.by_task() == {
        "t1": (["in"], []),
        "t2": ([], []),
        "t3": (["empty"], []),
        "t4": ([], []),
        "t5": ([], []),
    }
    assert [[r.code for r in each.coverage] for each in worked.told().attempts] == [
        *([[], [], []]),
        *([["ambiguous"], ["ambiguous"]]),
    ]


def test_more_threads_than_places_are_all_made(work: Work) -> None:
    worked = work(
        """attached(); begin(1); gate = threading.Event()
threads = [threading.Thread(target=lambda n=n: (gate.wait(), open(f"o{n}", "w").close())) for n in range(600)]
[t.start() for t in threads]; gate.set(); [t.join() for t in threads]; end(1)
"""
    )
    assert (worked.code, worked.err) == (0, "")
    assert len(worked.by_task()["t1"][1]) == 600


def test_what_tasks_do_to_files_is_judged_like_a_run(work: Work) -> None:
    worked = work(
        """attached()
begin(1); write("a"); os.rename("a", "b"); end(1)
begin(2); read("b"); os.link("b", "c"); write("gone"); os.unlink("gone"); end(2, 3)
begin(3); write("d"); end(3); begin(4); first = os.stat("d").st_mtime_ns
while os.stat("d").st_mtime_ns < first + 50_000_000: write("d")
end(4)
read("empty"); write("own")
"""
    )
    assert (worked.code, worked.err) == (0, "")
    told = worked.told()
    assert worked.by_task() == {
        "t1": ([], ["b"]),
        "t2": (["b"], ["c"]),
        "t3": ([], ["d"]),
        "t4": ([], ["d"]),
    }
    assert [each.state for each in told.attempts] == ["succeeded", "failed"] + ["succeeded"] * 2
    # What task 3 wrote task 4 has replaced: it must not get the hash of other bytes.
    (third,), (fourth,) = (told.attempts[number].written for number in (2, 3))
    assert third.fingerprint is None
    assert fourth.fingerprint == Fingerprint.from_stat(os.stat(worked.folder / "d"))
    assert told.worker is not None
    assert worked.files(told.worker) == (["empty"], ["own"])
    assert (told.worker.role, told.worker.where) == ("infrastructure", "n")
    assert {each.tracer for each in told.attempts} == {"preload"}


def test_a_killed_worker_leaves_its_task_interrupted(work: Work) -> None:
    worked = work(
        "attached(); begin(1); read('in'); end(1); begin(2); read('in'); write('out'); os.kill(os.getpid(), 9)"
    )
    assert worked.code == -9
    one, two = worked.told().attempts
    assert (one.state, two.state, two.duration_s) == ("succeeded", "interrupted", None)
    assert worked.files(two) == (["in"], ["out"])
    assert [reason.code for reason in two.coverage] == ["interrupted"]


def test_the_worker_lets_its_journal_grow_while_others_write(work: Work) -> None:
    worked = work(
        """
import mmap
words = memoryview(mmap.mmap(fd, 4096)).cast("Q"); alive = memoryview(words).cast("B").cast("I")
alive[204 // 4] = 1; stop = threading.Event()
def grow():
    global room
    while not stop.wait(0.001):
        if words[200 // 8 - 1] - words[128 // 8] < 512 << 10:
            room = grow_journal(fd, room, 1 << 20)
keeper = threading.Thread(target=grow); keeper.start()
attached()
def task(tag):
    begin(tag)
    for i in range(1000):
        os.rename("x%d" % tag, "y%d" % tag); os.rename("y%d" % tag, "x%d" % tag)
    end(tag)
for tag in range(1, 5): write("x%d" % tag)
together(*(lambda tag=tag: task(tag) for tag in range(1, 5)))
stop.set(); keeper.join()
""",
        room=1 << 20,
    )
    assert (worked.code, worked.err) == (0, "")
    assert len([r for r in worked.records if r.kind == Kind.RENAME]) == 8000


def test_what_finds_no_room_is_counted_and_told(work: Work) -> None:
    worked = work(
        """attached(); begin(1)
for i in range(200): read("in")
# What is left may be enough for a shorter record than these were.
while library.roar_task_tell(1, 4, b"", 0) == 0: pass
assert library.roar_task_tell(1, 2, b"", 0) != 0
""",
        room=4096 * 3,
    )
    assert (worked.code, worked.err) == (0, "")
    (one,) = worked.told().attempts
    assert (one.state, worked.files(one)) == ("interrupted", (["in"], []))
    assert "lost" in [reason.code for reason in one.coverage]


def test_a_living_workers_journal_gives_each_attempt_once_and_the_same(work: Work) -> None:
    worked = work(
        """attached()
for tag in range(1, 4):
    begin(tag); read("in"); write(f"out{tag}")
    if tag == 3:
        late = subprocess.Popen(["sh", "-c", "read go; cat empty > late"], stdin=subprocess.PIPE)
    end(tag)
late.communicate(b"go\\n"); begin(4); write("cut off")
"""
    )
    assert (worked.code, worked.err) == (0, "")
    whole, project = worked.journal.read_bytes(), os.fspath(worked.folder)
    final = read_tasks(whole, "j", project=project, is_final=True)
    ended = {each.task: each for each in final.attempts if each.part == "j"}
    ends = [r.offset for r in worked.records if r.kind == Kind.TASK and r.value & 255 == 2]
    for number, offset in enumerate(ends):
        told = read_tasks(whole[: offset + 48], "j", project=project)
        assert [each.task for each in told.attempts] == ["t1", "t2", "t3"][: number + 1]
        assert all(each == ended[each.task] for each in told.attempts)
        assert told.worker is None
    assert not read_tasks(
        whole, "j", project=project, known={("t1", 1), ("t2", 1), ("t3", 1)}
    ).attempts
    late = [each for each in final.attempts if each.part == "j+late"]
    assert [(each.task, worked.files(each)) for each in late] == [("t3", (["empty"], ["late"]))]
