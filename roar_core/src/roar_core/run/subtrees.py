"""Tasks that are processes of the run's own tree: each rank of `torchrun` beside the whole run.

Nothing is added to them: the run's journal tells what every process did, and a program's variables,
read in /proc while it lives, say which task it is. What was learnt is kept in the backend's folder,
for the roar that completes the run when this one is killed.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import attrs

from roar_core.errors import PluginError
from roar_core.hookspecs import ProcessBackend, ProcessTask
from roar_core.journal import Kind, Record
from roar_core.model.coverage import CoverageReason
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import TaskFile, TaskFragment
from roar_core.model.job import Edge
from roar_core.model.observation import InputFile, Observation, OutputFile
from roar_core.run.backends import PROCESSES
from roar_core.run.partners import Partner, Shortfall
from roar_core.run.relay import Ended

Digests = Callable[[InputFile | OutputFile], Mapping[str, str]]


@attrs.define
class Subtree:
    """What the processes of one task reported.

    `first` is the START of its first program, `command` how that was called.
    """

    task: ProcessTask
    first: Record
    command: tuple[str, ...] = ()
    records: list[Record] = attrs.field(factory=list)


class Subtrees:
    """The tasks of one backend among the processes of a run."""

    def __init__(self, partner: Partner, shortfall: Shortfall) -> None:
        self._partner = partner
        self._shortfall = shortfall
        self._told: dict[tuple[int, int], ProcessTask] = {}
        self._place = partner.run.folder / PROCESSES
        self._is_broken = False

    @property
    def name(self) -> str:
        """The backend's."""
        return self._partner.name

    def watch(self, found: Iterable[Record]) -> None:
        """Learn whose the programs are that have just started; they may end at any moment."""
        for record in found:
            if record.kind == Kind.START and not self._is_broken:
                task = self._task_of(record.pid)
                if task is not None:
                    self._tell(record, task)

    def split(self, records: Sequence[Record]) -> list[Subtree]:
        """The records of each task, in the order in which the tasks began.

        A process belongs to the task that its program says, else to that of its parent.
        """
        if not self._told:
            self._recall()
        whose: dict[int, ProcessTask] = {}
        found: dict[ProcessTask, Subtree] = {}
        called: dict[int, tuple[str, ...]] = {}
        for record in records:
            if record.kind == Kind.START:
                task = self._told.get((record.pid, record.time_ns)) or whose.get(record.pid)
                task = task or whose.get(record.value)
                if task is not None:
                    whose[record.pid] = task
                    found.setdefault(task, Subtree(task, record, called.get(record.pid, ())))
            elif record.kind == Kind.EXEC and len(record.strings) > 1:
                called[record.pid] = tuple(map(os.fsdecode, record.strings[1].split(b"\0")))
            elif record.kind == Kind.FORK and record.pid in whose:
                whose[record.value] = whose[record.pid]
            if (mine := whose.get(record.pid)) is not None:
                found[mine].records.append(record)
                if found[mine].first.pid == record.pid and not found[mine].command:
                    found[mine].command = called.get(record.pid, ())  # told after a spawn
            if record.kind == Kind.EXIT:
                whose.pop(record.pid, None)  # the number may be another's next
        _leave_out_inherited(found, records)
        return list(found.values())

    def missing(self, found: Sequence[Subtree]) -> list[CoverageReason]:
        """How many tasks there were, by what the others say, that were not told apart."""
        names = {each.task.task for each in found}
        among = max((each.task.among for each in found), default=0)
        if among <= len(names):
            return []
        words = f"of {among} tasks of {self.name} not told apart: they ended too soon"
        return [CoverageReason("tasks", among - len(names), words)]

    def _task_of(self, pid: int) -> ProcessTask | None:
        try:
            with open(f"/proc/{pid}/environ", "rb") as handle:  # noqa: PTH123 - one a program
                words = handle.read().split(b"\0")
        except OSError:  # it has ended, or is another user's
            return None
        pairs = (os.fsdecode(word).partition("=") for word in words)
        environ = {name: value for name, _, value in pairs}
        backend: ProcessBackend = self._partner.offer.value
        try:
            return self._partner.call("telling processes apart", backend.task_of, environ)
        except PluginError as error:
            self._shortfall.note("backend", error)
            self._is_broken = True
            return None

    def _tell(self, record: Record, task: ProcessTask) -> None:
        self._told[record.pid, record.time_ns] = task
        line = json.dumps([record.pid, record.time_ns, attrs.astuple(task)])
        try:
            with self._place.open("a", encoding="ascii") as place:
                place.write(line + "\n")
        except OSError:  # only a killed roar's successor would have needed it
            import logging

            logging.getLogger(__name__).debug("a task is not noted", exc_info=True)

    def _recall(self) -> None:
        try:
            lines = self._place.read_text(encoding="ascii").splitlines()
        except OSError:  # there was none
            return
        for line in lines:
            try:
                pid, time_ns, task = json.loads(line)
            except ValueError:  # the last one, cut when roar was killed
                continue
            self._told[pid, time_ns] = ProcessTask(*task)


def _leave_out_inherited(found: dict[ProcessTask, Subtree], records: Sequence[Record]) -> None:
    """Drop the task that the run's own command says it is, where it is none of the run's.

    Its variables are those of whoever called roar: a rank of another run. The run's own tasks count
    each other, and not that one.
    """
    root = next((record.pid for record in records if record.kind == Kind.START), None)
    own = next((task for task, subtree in found.items() if subtree.first.pid == root), None)
    counts = {task.among for task in found if task != own}
    if own is not None and counts and own.among not in counts:
        del found[own]


def fragment_of(
    subtree: Subtree, observation: Observation, digests: Digests, clock_ns: int, tracer: str | None
) -> TaskFragment:
    """What a task did, judged as the run itself was."""
    task, first = subtree.task, subtree.first
    _, cwd = (os.fsdecode(text) for text in (*first.strings[:2], b"", b"")[:2])
    last = subtree.records[-1]
    ended = next((Ended(r.value) for r in reversed(subtree.records) if _ends(r, first.pid)), None)
    return TaskFragment(
        task=task.task,
        name=task.name or _name(subtree),
        state=_state(ended),
        started_at_ns=first.time_ns + clock_ns,
        attempt=task.attempt,
        command=subtree.command,
        cwd=cwd or None,
        where=platform.node(),
        duration_s=(last.time_ns - first.time_ns) / 1e9,
        exit_code=ended.exit_code if ended else None,
        signal=ended.signal if ended else None,
        tracer=tracer,
        read=tuple(
            TaskFile(f.path, f.fingerprint.size, digests(f), f.fingerprint, f.changed)
            for f in observation.inputs
        ),
        written=tuple(
            TaskFile(f.path, f.fingerprint.size, digests(f), f.fingerprint)
            for f in observation.outputs
            if f.doubtful is None or digests(f)
        ),
        coverage=observation.coverage.reasons,
    )


def _state(ended: Ended | None) -> Literal["succeeded", "failed", "interrupted"]:
    if ended is None:
        return "interrupted"
    return "succeeded" if ended.exit_code == 0 else "failed"


def _name(subtree: Subtree) -> str:
    """The script of an interpreter, or the program: what all ranks have in common."""
    words = [word for word in subtree.command[1:] if word and word[0] != "-"]
    program = os.fsdecode(subtree.first.strings[0]) if subtree.first.strings else ""
    return os.path.basename(words[0] if words else program)  # noqa: PTH119 - any bytes


def _ends(record: Record, pid: int) -> bool:
    return record.kind == Kind.EXIT and record.pid == pid


def digests_of(
    outputs: Iterable[Edge], early: Callable[[Fingerprint], Mapping[str, str] | None]
) -> Digests:
    """What the run itself knows by now of the files that its tasks touched.

    Of all else the merger asks the stat cache, which has what the run has read.
    """
    written = {edge.path: edge for edge in outputs}

    def digests(file: InputFile | OutputFile) -> Mapping[str, str]:
        if isinstance(file, OutputFile):
            edge = written.get(file.path)
            return edge.digests if edge and edge.size == file.fingerprint.size else {}
        return early(file.fingerprint) or {}

    return digests
