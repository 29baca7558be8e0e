"""From what lies in a run's folder to fragments of tasks, and to what is missing of them."""

from __future__ import annotations

import os
import struct
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from roar_core.errors import JournalError
from roar_core.hookspecs import RunContext
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import TaskCoverage, TaskFragment
from roar_core.task_journal import Eyes, ToldTasks, read_tasks
from roar_ray import submitted
from roar_ray.agent import records
from roar_ray.driver.places import PYTHON
from roar_ray.driver.sweeping import FUNCTIONS as OURS
from roar_ray.eyes import Node
from roar_ray.putting import Putters, may_be_put
from roar_ray.report import Driver, Report

# While the command runs, a journal is read again when it has grown by half: all reading together
# costs no more than three times the last one.
_GROWN = 1.5
_WORD = struct.Struct("=Q")
_NOWHERE = (0, 0)
# Below the patience that roar has by default: importing Ray alone takes a second or two.
_LATE_S = 8.0
_OVER = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
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
    `put` has what `Putters` are told of threads.
    `goes_on`: a submitted driver still ran when it was read, so that it is to be read once more.
    """

    read_up_to: dict[Path, int] = attrs.field(factory=dict)
    counted: dict[Path, Counted] = attrs.field(factory=dict)
    put: dict[str, str] = attrs.field(factory=dict)
    goes_on: bool = False


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

    def fragments(self) -> Iterator[TaskFragment]:
        """All that tasks have reported; while a driver lives, what has ended and is new."""
        is_live = self._is_live()
        self._memory.goes_on = False
        if not is_live:
            self._ask_late()
        given = {} if is_live else self._given_by_drivers()
        found: list[TaskFragment] = []
        for node, path in self._report.journals():
            # What other machines have sent is complete, and their files known, at the end only.
            if is_live and (node or not self._has_grown(path)):
                continue
            extent = _extent(path)
            told = self._told(node, path, is_final=not is_live)
            if told is None:
                continue
            if not is_live:
                self._memory.counted[path] = _counted(told, extent)
            for task, needs in told.submitted.items():
                given.setdefault(task, []).extend(needs)
            for fragment in self._fragments(node, told):
                sure = tuple(need for need in fragment.needs if not may_be_put(need))
                yield attrs.evolve(fragment, needs=sure) if sure != fragment.needs else fragment
                if not is_live:
                    found.append(_without_files(fragment))
        # Who submits a task may be read after who runs it, so this is a part of its own.
        if not is_live:
            self._memory.put = {ref: tasks[-1] for ref, tasks in given.items() if may_be_put(ref)}
            yield from self._given(found, given, self._putters({each.task for each in found}))

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
        is_live = self._is_live()
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
                counted = _counted(told, _NOWHERE)
            reported |= counted.tasks
            if not node and counted.whole_of is not None:
                whole.add(counted.whole_of)
            if counted.python_only is not None:
                python_only[counted.python_only] += 1
        open_jobs = [each for each in self._report.submissions() if not self._is_over(each)]
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
        unheard = [each for each in self._unheard() if each.get("was_driver") is True]
        if unheard:
            words = "jobs submitted to Ray ran where this machine's folders are not seen"
            reasons.append(CoverageReason("out_of_reach", len(unheard), words))
        if open_jobs:
            words = "jobs submitted to Ray have not ended, as far as is known"
            reasons.append(CoverageReason("tasks", len(open_jobs), words))
        return TaskCoverage(
            len(reported | known - self._never_begun(whole)),
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

    def _is_live(self) -> bool:
        # What a submitted one does, until its very end, is in a journal here.
        return any(
            each.is_alive and (each.submission or not each.has_ended)
            for each in self._report.drivers()
        )

    def _told(self, node: str, path: Path, *, is_final: bool) -> ToldTasks | None:
        eyes = self._node(node).eyes if node else Eyes()
        project = os.fspath(self._run.project)
        try:
            data = path.read_bytes()
            told = read_tasks(data, path.name, project=project, is_final=is_final, eyes=eyes)
        except (JournalError, OSError):
            return None
        return self._without_others(told) if told.process.get("is_inherited") else told

    def _without_others(self, told: ToldTasks) -> ToldTasks:
        """Leave out the tasks of drivers that came to a cluster of the run's from elsewhere."""
        jobs = {driver.job for driver in self._report.drivers()}
        attempts = tuple(each for each in told.attempts if each.task.endswith(tuple(jobs)))
        is_theirs = bool(told.attempts) and not attempts
        return attrs.evolve(told, attempts=attempts, worker=None if is_theirs else told.worker)

    def _fragments(self, node: str, told: ToldTasks) -> Iterator[TaskFragment]:
        own: tuple[TaskFragment, ...] = ()
        if told.worker is not None:
            if _goes_on(told):
                self._memory.goes_on = True
            else:
                own = (self._own(told, told.worker),)
        for fragment in (*told.attempts, *own):
            if fragment.name not in OURS:
                yield self._node(node).placed(fragment) if node else fragment

    def _own(self, told: ToldTasks, worker: TaskFragment) -> TaskFragment:
        """What a process did for no task: a driver that was submitted is a task of its own."""
        submission = told.process.get("submission")
        if submission is None:
            return _ended_by_ray(worker, told.attempts)
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

    def _is_over(self, job: Mapping[str, Any]) -> bool:
        """Whether nothing more comes of a submitted job."""
        if job.get("status") in _OVER:
            return True
        drivers = [d for d in self._report.drivers() if d.submission == job.get("submission")]
        return bool(drivers) and all(d.has_ended for d in drivers)

    def _unheard(self) -> list[Mapping[str, Any]]:
        """The jobs that have ended of whose drivers nothing is here."""
        heard = {driver.submission for driver in self._report.drivers()}
        return [
            job
            for job in self._report.submissions()
            if self._is_over(job) and job.get("submission") not in heard
        ]

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
            open_jobs = [job for job in self._report.submissions() if not self._is_over(job)]
            pythons |= {str(job["python"]) for job in open_jobs}
        # Its program may have had nothing to do with Ray: that is no hole.
        pythons |= {str(job["python"]) for job in self._unheard() if "was_driver" not in job}
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
            except (OSError, subprocess.TimeoutExpired):
                # Whoever looks next asks again; until then coverage says that it is open.
                continue


def _goes_on(told: ToldTasks) -> bool:
    """Whether it is of a submitted driver's, which may not have begun with Ray, or has ended it."""
    of_a_number = isinstance(told.process.get("pid"), int)
    return of_a_number and "submission" in told.process and Driver(told.process).is_alive


def _without_files(fragment: TaskFragment) -> TaskFragment:
    """What is kept of an attempt until all journals are read: of 100,000 the files are too many."""
    return attrs.evolve(fragment, read=(), written=(), coverage=())


def _counted(told: ToldTasks, extent: tuple[int, int]) -> Counted:
    own = () if told.worker is None else (told.worker,)
    tasks = frozenset(each.task for each in (*told.attempts, *own) if each.name not in OURS)
    is_whole = bool(own) and not any(r.code in _HOLES for w in own for r in w.coverage)
    node, pid = told.process.get("node"), told.process.get("pid")
    of_whom = (str(node), pid) if is_whole and isinstance(pid, int) else None
    why = None
    if told.process.get("capture") == "python":
        why = str(told.process.get("reason") or "the library is not there")
    return Counted(extent, tasks, why, of_whom)


def _extent(path: Path) -> tuple[int, int]:
    """The size of a journal, and how far it is written by its own word."""
    try:
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            raw = os.pread(source.fileno(), _WORD.size, records.TAIL)
    except OSError:
        return _NOWHERE
    return (size, _WORD.unpack(raw)[0]) if len(raw) == _WORD.size else _NOWHERE


def _ended_by_ray(worker: TaskFragment, attempts: Iterable[TaskFragment]) -> TaskFragment:
    """The worker, which Ray ends by whatever means: of that matters whether it took a task along.

    A worker that nothing is wrong with exits with status 1 when its driver has gone.
    """
    if any(attempt.state == "interrupted" for attempt in attempts):
        return attrs.evolve(worker, state="interrupted", exit_code=None)
    return attrs.evolve(worker, state="succeeded", exit_code=None)


def _killed(driver: Driver) -> str:
    what = "a driver of Ray was killed or left by os._exit"
    if driver.is_own:
        return f"{what}, and its cluster with it"
    if driver.was_fetched_late:
        return f"{what}: what its nodes had not sent by then is missing"
    return f"{what}, and its cluster cannot be asked"
