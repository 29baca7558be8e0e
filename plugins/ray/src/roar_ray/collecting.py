"""From what lies in a run's folder to fragments of tasks, and to what is missing of them."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import attrs

from roar_core.errors import JournalError
from roar_core.hookspecs import RunContext
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import TaskCoverage, TaskFragment
from roar_core.task_journal import Eyes, TaskReading, reading_of
from roar_ray import submitted
from roar_ray.agent import records
from roar_ray.driver.places import PYTHON
from roar_ray.driver.sweeping import FUNCTIONS as OURS
from roar_ray.eyes import Node
from roar_ray.jobs import Jobs
from roar_ray.putting import Putters, may_be_put
from roar_ray.report import Driver, Report, started_of

# While the command runs, a journal is read again when it has grown by half: all reading together
# costs no more than three times the last one.
_GROWN = 1.5
_WORD = struct.Struct("=Q")
_NOWHERE = (0, 0)
# Below the patience that roar has by default: importing Ray alone takes a second or two.
_LATE_S = 8.0
# Ray's workers look every second whether their raylet is there.
_LINGER_S = 2.0
_LOOK_S = 0.02
# What a worker's own coverage says when a task may have begun of which its journal does not tell.
_HOLES = frozenset({"agent_failed", "lost", "unreadable", "unfounded"})
_ASK_LATE = "import sys; sys.path[:0] = sys.argv[1:]; from roar_ray.driver import late; late.main()"


class Counted(NamedTuple):
    """What a journal has for the coverage, as it was: its size, and how far it was written.

    `whole_of` is the node and process of which it tells everything; None where it may not.
    """

    extent: tuple[int, int]
    tasks: frozenset[str]
    python_only: str | None
    whole_of: tuple[str, int] | None


@attrs.define
class Memory:
    """What one collection leaves to the next, by the journals' paths.

    `read_up_to` is how far those of a living driver were read; `counted` is of those that were read
    when it had ended, so that nobody has to judge all of a run's files again to count its tasks.
    `put` has what `Putters` are told of threads. `goes_on`: more was to come when it was read,
    whatever has happened since. `running`: how many processes of submitted jobs ran then, of which
    no driver was known to. `is_read`: all was read when nothing of it was live any more.
    """

    read_up_to: dict[Path, int] = attrs.field(factory=dict)
    counted: dict[Path, Counted] = attrs.field(factory=dict)
    put: dict[str, str] = attrs.field(factory=dict)
    goes_on: bool = False
    is_read: bool = False
    running: int = 0


class Collecting:
    """One collection of a run.

    `is_later`: the roar that carried the run out is gone.
    """

    def __init__(self, run: RunContext, memory: Memory, *, is_later: bool = True) -> None:
        self._run = run
        self._report = Report(run.folder)
        self._memory = memory
        self._nodes: dict[str, Node] = {}
        self._is_later = is_later
        self._jobs = Jobs(self._report)
        self._unaskable: set[str] = set()

    def fragments(self) -> Iterator[TaskFragment]:
        """All that tasks have reported; while a driver lives, what has ended and is new."""
        if not self._jobs.has_living_driver():
            self._ask_late()
        # Asking takes seconds, in which a driver may have begun.
        is_live = self.is_live()
        if not is_live:
            self._wait_for_workers()
        self._memory.goes_on, self._memory.running = is_live, 0
        given = {} if is_live else self._given_by_drivers()
        found: list[TaskFragment] = []
        for node, path in self._report.journals():
            # What other machines have sent is complete, and their files known, at the end only.
            if is_live and (node or not self._has_grown(path)):
                continue
            extent, started = _extent(path), started_of(path)
            told = self._told(node, path, is_final=not is_live)
            if told is None:
                continue
            is_running = _ran(told, started)
            if is_running:
                self._memory.goes_on = True
                self._memory.running += not is_live
            for task, needs in told.submitted().items():
                given.setdefault(task, []).extend(needs)
            counting = _Counting(told)
            for fragment in self._fragments(node, told, is_running=is_running):
                sure = tuple(need for need in fragment.needs if not may_be_put(need))
                yield attrs.evolve(fragment, needs=sure) if sure != fragment.needs else fragment
                if not is_live:
                    counting.add(fragment)
                    found.append(_without_files(fragment))
            if not (is_live or is_running):
                self._memory.counted[path] = counting.counted(extent)
        # Who submits a task may be read after who runs it, so this is a part of its own.
        if not is_live:
            self._memory.put = {
                ref: tasks[-1] if tasks else "" for ref, tasks in given.items() if may_be_put(ref)
            }
            yield from self._given(found, given, self._putters({each.task for each in found}))
            self._memory.is_read = not self._memory.goes_on

    def _given(
        self,
        found: Iterable[TaskFragment],
        given: Mapping[str, Sequence[str]],
        putters: Putters,
    ) -> Iterator[TaskFragment]:
        """To each attempt the results that its task was given by whoever submitted it.

        And those of which it takes all tasks to know whose they are.
        """
        for fragment in found:
            unsure = [need for need in fragment.needs if may_be_put(need)]
            needs = dict.fromkeys(putters.of([*given.get(fragment.task, ()), *unsure]))
            needs.pop(fragment.task, None)
            if needs:
                yield attrs.evolve(fragment, part=f"{fragment.part}+given", needs=tuple(needs))

    def _putters(self, tasks: Iterable[str]) -> Putters:
        known = self._report.known()
        return Putters(known.union(tasks), self._memory.put, knows_all=bool(known))

    def _given_by_drivers(self) -> dict[str, list[str]]:
        given: dict[str, list[str]] = {}
        for each in self._report.edges():
            if "task" in each:
                given.setdefault(str(each["task"]), []).extend(map(str, each.get("needs", ())))
        return given

    def _fetched_by_drivers(self, putters: Putters) -> tuple[str, ...]:
        fetched = [each.get("needs", ()) for each in self._report.edges() if "task" not in each]
        ours = self._report.ours()
        tasks = dict.fromkeys(putters.of(str(task) for tasks in fetched for task in tasks))
        return tuple(task for task in tasks if task not in ours)

    def coverage(self) -> TaskCoverage:
        """How many tasks there were, and what is known to be missing."""
        is_live = self.is_live()
        known, python_only, unreadable = self._report.known(), Counter[str](), 0
        reported: set[str] = set()
        whole: set[tuple[str, int]] = set()
        for node, path in self._report.journals():
            counted = self._memory.counted.get(path)
            if is_live or counted is None or counted.extent != _extent(path):
                told = self._told(node, path, is_final=not is_live)
                if told is None:
                    unreadable += 1
                    continue
                counting = _Counting(told)
                for fragment in self._fragments("", told):
                    counting.add(fragment)
                counted = counting.counted(_NOWHERE)
            reported |= counted.tasks
            if not node and counted.whole_of is not None:
                whole.add(counted.whole_of)
            if counted.python_only is not None:
                python_only[counted.python_only] += 1
        open_jobs = self._jobs.open()
        reasons = [
            *(
                CoverageReason("python_only", n, f"workers of Ray: {why}")
                for why, n in python_only.items()
            ),
            *self._reasons_of_drivers(),
            *(CoverageReason("ray", 1, fault) for fault in self._report.faults()),
        ]
        if unreadable:
            reasons.append(CoverageReason("unreadable", unreadable, "journals of workers of Ray"))
        unheard = [each for each in self._jobs.unheard() if each.get("was_driver") is True]
        if unheard:
            words = "jobs submitted to Ray ran where this machine's folders are not seen"
            reasons.append(CoverageReason("out_of_reach", len(unheard), words))
        if open_jobs:
            words = "jobs submitted to Ray have not ended, as far as is known"
            reasons.append(CoverageReason("tasks", len(open_jobs), words))
        elif self._memory.running:
            words = "processes of jobs submitted to Ray that still ran"
            reasons.append(CoverageReason("tasks", self._memory.running, words))
        return TaskCoverage(
            len(reported | known - self._never_begun(whole)),
            # What was live when it was read is to be read again, even if it has ended since.
            is_final=not (is_live or open_jobs or self._memory.goes_on),
            reasons=tuple(reasons),
            needs=self._fetched_by_drivers(self._putters(reported)),
        )

    def _never_begun(self, whole: set[tuple[str, int]]) -> set[str]:
        """The tasks that were cut short before anything of the user's had begun.

        As their workers tell by their journals, of which nothing is missing: Ray counts a task as
        running when its worker is still about to load the function.
        """
        cut_short = self._report.cut_short()
        return {task for task, places in cut_short.items() if places <= whole}

    @property
    def has_read_all(self) -> bool:
        """Whether an earlier collection found it over, and has read it to the end."""
        return self._memory.is_read and not self.is_live()

    def _wait_for_workers(self) -> None:
        """Wait for those of clusters that are gone with their drivers: they end when they notice.

        What they do until then, in a task that nobody has waited for, belongs to the run.
        """
        if not any(driver.is_own for driver in self._report.drivers()):
            return
        here = [path for node, path in self._report.journals() if not node]
        deadline = time.monotonic() + _LINGER_S
        while any(map(started_of, here)) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def is_live(self) -> bool:
        """Whether tasks may be running: those of a driver, or of a job that may have one yet."""
        return self._jobs.has_living_driver() or bool(self._jobs.going_on(self._unaskable))

    def _told(self, node: str, path: Path, *, is_final: bool) -> TaskReading | None:
        eyes = self._node(node).eyes if node else Eyes()
        project = os.fspath(self._run.project)
        try:
            data = path.read_bytes()
            return reading_of(data, path.name, project=project, is_final=is_final, eyes=eyes)
        except (JournalError, OSError):
            return None

    def _jobs_in(self, told: TaskReading) -> tuple[str, ...]:
        """With what the tasks of the run's drivers end, in a worker that others may use as well.

        Those are drivers that came to a cluster of the run's from elsewhere.
        """
        if not told.process.get("is_inherited"):
            return ("",)
        return tuple({driver.job for driver in self._report.drivers()})

    def _fragments(
        self, node: str, told: TaskReading, *, is_running: bool = False
    ) -> Iterator[TaskFragment]:
        jobs = self._jobs_in(told)
        is_cut = is_ours = is_theirs = False
        for fragment in told.attempts():
            if not fragment.task.endswith(jobs):
                is_theirs = True
                continue
            is_ours = True
            is_cut |= fragment.state == "interrupted"
            if fragment.name not in OURS:
                yield self._node(node).placed(fragment) if node else fragment
        is_left_out = is_running or (is_theirs and not is_ours)
        own = None if is_left_out else told.worker_itself()
        if own is not None:
            own = self._own(told, own, is_cut=is_cut)
            yield self._node(node).placed(own) if node else own

    def _own(self, told: TaskReading, worker: TaskFragment, *, is_cut: bool) -> TaskFragment:
        """What a process did for no task: a driver that was submitted is a task of its own."""
        submission = told.process.get("submission")
        if submission is None:
            return _ended_by_ray(worker, is_cut=is_cut)
        jobs = [job for job in self._report.submissions() if job.get("submission") == submission]
        return submitted.driver(told.process, worker, jobs, self._report)

    def _node(self, node: str) -> Node:
        if node not in self._nodes:
            self._nodes[node] = Node(node, self._report.digests(node))
        return self._nodes[node]

    def _has_grown(self, path: Path) -> bool:
        _, tail = _extent(path)
        if tail < self._memory.read_up_to.get(path, 0) * _GROWN:
            return False
        self._memory.read_up_to[path] = tail
        return True

    def _reasons_of_drivers(self) -> Iterator[CoverageReason]:
        for driver in self._report.drivers():
            lost, silent = driver.texts("lost_nodes"), driver.texts("silent_nodes")
            if lost:
                words = f"nodes of Ray died, with what had not been sent: {', '.join(lost)}"
                yield CoverageReason("nodes", len(lost), words)
            if silent:
                words = f"nodes of Ray did not answer at the end: {', '.join(silent)}"
                yield CoverageReason("nodes", len(silent), words)
            unobserved = driver.texts("unobserved")
            if unobserved:
                words = f"workers of Ray were not observed: {unobserved[0]}"
                yield CoverageReason("unobserved", len(unobserved), words)
            if not driver.has_ended and not driver.is_alive:
                yield CoverageReason("driver", 1, _killed(driver))

    def _ask_late(self) -> None:
        """Have the Pythons of killed drivers, and of clients, ask their clusters."""
        pythons = {
            str(driver.document["python"])
            for driver in self._report.drivers()
            if not (driver.has_ended or driver.is_own or driver.was_fetched_late)
        }
        if self._is_later:
            # A job that was submitted just now, and not waited for, is not over.
            pythons |= {str(job["python"]) for job in self._jobs.open()}
        pythons |= {str(job["python"]) for job in self._jobs.left()}
        # Its program may have had nothing to do with Ray: that is no hole.
        pythons |= {str(job["python"]) for job in self._jobs.unheard() if "was_driver" not in job}
        folder = os.fspath(self._run.folder / PYTHON)
        for python in sorted(pythons):
            argv = (python, "-c", _ASK_LATE, folder)
            try:
                subprocess.run(
                    argv,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_LATE_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                # Whoever looks next asks again; until then coverage says that it is open.
                continue
            except OSError:
                self._unaskable.add(python)


def _ran(told: TaskReading, started: str | None) -> bool:
    """Whether it is of a submitted job's process that ran when this was read.

    Which need not be a driver: it may not have begun with Ray, or has ended it. `started` is when
    the process of its number was, as found before reading.
    """
    is_submitted = "submission" in told.process
    return is_submitted and started is not None and started == told.process.get("pid_started")


def _without_files(fragment: TaskFragment) -> TaskFragment:
    """What is kept of an attempt until all journals are read: of 100,000 the files are too many."""
    return attrs.evolve(fragment, read=(), written=(), coverage=())


class _Counting:
    """What a journal has for the coverage, counted while its fragments pass."""

    def __init__(self, told: TaskReading) -> None:
        self._told = told
        self._tasks: set[str] = set()
        self._is_whole = False

    def add(self, fragment: TaskFragment) -> None:
        """Count a fragment. What the process did for no task comes last, if it comes at all."""
        self._tasks.add(fragment.task)
        is_own = fragment.task == self._told.name
        self._is_whole = is_own and not any(each.code in _HOLES for each in fragment.coverage)

    def counted(self, extent: tuple[int, int]) -> Counted:
        """What was counted of a journal that had this extent."""
        process = self._told.process
        node, pid = process.get("node"), process.get("pid")
        of_whom = (str(node), pid) if self._is_whole and isinstance(pid, int) else None
        return Counted(extent, frozenset(self._tasks), _python_only(self._told), of_whom)


def _python_only(told: TaskReading) -> str | None:
    """Why only Python observed its process; None when the library did."""
    if told.process.get("capture") != "python":
        return None
    return str(told.process.get("reason") or "the library is not there")


def _extent(path: Path) -> tuple[int, int]:
    """The size of a journal, and how far it is written by its own word."""
    try:
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            raw = os.pread(source.fileno(), _WORD.size, records.TAIL)
    except OSError:
        return _NOWHERE
    return (size, _WORD.unpack(raw)[0]) if len(raw) == _WORD.size else _NOWHERE


def _ended_by_ray(worker: TaskFragment, *, is_cut: bool) -> TaskFragment:
    """The worker, which Ray ends by whatever means: of that matters whether it took a task along.

    A worker that nothing is wrong with exits with status 1 when its driver has gone.
    """
    if is_cut:
        return attrs.evolve(worker, state="interrupted", exit_code=None)
    return attrs.evolve(worker, state="succeeded", exit_code=None)


def _killed(driver: Driver) -> str:
    what = "a driver of Ray was killed or left by os._exit"
    if driver.is_own:
        return f"{what}, and its cluster with it"
    if driver.was_fetched_late:
        return f"{what}: what its nodes had not sent by then is missing"
    return f"{what}, and its cluster cannot be asked"
