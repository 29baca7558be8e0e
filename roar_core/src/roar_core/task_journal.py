"""Turn the journal of a platform's worker into what each of its tasks did.

For execution backends whose workers run task after task in one process, and report into a journal
of their own (docs/journal.md, "Workers that run many tasks"). `read_tasks` takes its bytes as they
were brought here: whole, still growing, cut off, or with holes that a killed process left. What a
task did is judged as what a run did.

    told = read_tasks(path.read_bytes(), path.name, project="/home/ada/project", is_final=True)
    yield from (*told.attempts, told.worker)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import attrs

from roar_core.garbage import collection_paused
from roar_core.journal_file import header_of, records_and_holes
from roar_core.journal_format import Intent, Kind, Record, TaskEvent
from roar_core.model.coverage import CoverageReason
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import TaskFile, TaskFragment
from roar_core.model.observation import InputFile, OutputFile
from roar_core.observe import disk, unseen
from roar_core.observe.filters import FilterPolicy, Filters
from roar_core.observe.interpreters import interpreter_prefixes
from roar_core.observe.judge import CLOCK_GRAIN_NS, ListFiles, Look, judge
from roar_core.observe.workers import Span, Worker
from roar_core.task_facts import (
    INTEGER_MAX,
    NEEDS_MAX,
    Actors,
    facts_of,
    is_number,
    named_in,
    needs_of,
    text_in,
    texts_in,
)

Digests = Callable[[str, Fingerprint], Mapping[str, str]]

# Plain integers, as in observe.history.
_OPEN, _CREATED = int(Kind.OPEN), int(Intent.CREATED)
# How long a writer may take between reserving room and filling it, before it counts as dead.
_HOLE_SETTLES_NS = 100_000_000
# A clock that is further ahead is no clock to go by.
_SKEW_MAX_NS = 3600 * 10**9


def _no_digests(path: str, version: Fingerprint) -> Mapping[str, str]:
    return {}


@attrs.frozen
class Eyes:
    """How to see the files of the node on which a worker ran.

    `look` gives what lstat(2) says of a path, None when nothing is there; `list_files` the paths of
    all files below a directory; `digests` maps algorithms to the digests of a version, empty where
    they are not known. `node` is the node's name when its files are no other machine's.
    """

    look: Look = disk.look
    list_files: ListFiles = disk.list_files
    digests: Digests = _no_digests
    node: str = ""


@attrs.frozen
class ToldTasks:
    """What one journal tells.

    `process` is what the worker said of itself. `attempts` holds the attempts that have ended, and
    when the journal is final those that were interrupted, and what processes did after the end of
    the task that made them (a further part of its attempt). `worker` is what was done for no task,
    None until the journal is final. `submitted` has for tasks that were submitted here the tasks
    whose results they were given: only who submits a task sees that.
    """

    process: Mapping[str, Any]
    attempts: tuple[TaskFragment, ...]
    worker: TaskFragment | None = None
    submitted: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


def read_tasks(
    data: bytes,
    name: str,
    *,
    project: str,
    is_final: bool = False,
    eyes: Eyes | None = Eyes(),
    known: Container[tuple[str, int]] = (),
) -> ToldTasks:
    """Read a worker's journal; `name` tells it from every other one of the run.

    While the worker lives its journal may be read again and again: an attempt is given when it has
    ended, and has then done the same at every reading. `known` are the (task, attempt) that need
    not be given again. `is_final` says that nothing will be added any more. `project` is the root
    of the driver's project. Without `eyes` nothing can be seen of the node: then whatever was
    opened to be written counts as written, with no hash. Raises JournalError when `data` is no
    journal.
    """
    with collection_paused():
        # A function of its own, so that its records are gone before the collector may look at them.
        return _read(data, name, project, is_final, eyes, known)


def reading_of(
    data: bytes, name: str, *, project: str, is_final: bool = False, eyes: Eyes | None = Eyes()
) -> TaskReading:
    """As `read_tasks`, but each attempt is judged when it is asked for.

    For journals of a hundred thousand tasks, of which nobody should have to wait for the last
    before they hear of the first, nor hold all. The collector had best be paused meanwhile.
    """
    header = header_of(data, name)
    records, holes = records_and_holes(data, header)
    if not is_final:
        records, holes = _settled(records, holes)
    reading = TaskReading(name, project, eyes, Worker(records), header.clock, is_final=is_final)
    reading.lost = header.lost
    reading.holes = holes
    return reading


def _read(
    data: bytes,
    name: str,
    project: str,
    is_final: bool,
    eyes: Eyes | None,
    known: Container[tuple[str, int]],
) -> ToldTasks:
    reading = reading_of(data, name, project=project, is_final=is_final, eyes=eyes)
    attempts = tuple(reading.attempts(known))
    return ToldTasks(reading.process, attempts, reading.worker_itself(), reading.submitted())


def _settled(
    records: list[Record], holes: list[tuple[int, int]]
) -> tuple[list[Record], list[tuple[int, int]]]:
    """What stands before the first hole that may still be filled."""
    newest = max((record.time_ns for record in records), default=0)
    for number, (start, end) in enumerate(holes):
        after = next((r.time_ns for r in records if r.offset >= end), newest)
        if newest - after < _HOLE_SETTLES_NS:
            return [record for record in records if record.offset < start], holes[:number]
    return records, holes


class TaskReading:
    """One reading of one journal: what all its fragments share. `process` is as in `ToldTasks`."""

    def __init__(
        self,
        name: str,
        project: str,
        eyes: Eyes | None,
        worker: Worker,
        clock: int,
        *,
        is_final: bool,
    ) -> None:
        self.name = name
        self.is_final = is_final
        self.eyes = eyes
        self.worker = worker
        self.clock = clock
        self.lost = 0
        self.holes: Sequence[tuple[int, int]] = ()
        self.process: dict[str, Any] = {}
        for record in worker.told:
            self.process.update(facts_of(record))
        self.where = text_in(self.process, "node") or text_in(self.process, "host")
        self.tracer = "python" if self.process.get("capture") == "python" else "preload"
        policy = FilterPolicy(
            project=project,
            roar_dir=f"{project}/.roar",
            home=os.path.expanduser("~"),  # noqa: PTH111 - no exception when there is no home
            enabled={"source": False},
        )
        started = [r.strings[0] for r in worker.records if r.kind == Kind.START and r.strings]
        programs = [*map(os.fsdecode, started), text_in(self.process, "executable")]
        prefixes = interpreter_prefixes(programs, ())
        prefixes |= set(texts_in(self.process.get("prefixes")))
        self.filters = Filters(policy).with_prefixes(prefixes)
        self.newest_ns = self._wall(worker.last_ns)

    def attempts(self, known: Container[tuple[str, int]] = ()) -> Iterator[TaskFragment]:
        """The attempts, as in `ToldTasks`. To be asked for once."""
        actors = Actors()
        for span in self.worker.spans:
            facts = facts_of(span.begun)
            named = named_in(facts)
            before = None if named is None else actors.before(facts, named)
            if not self.is_final and span.ended is None:
                continue
            if named is None:
                self.worker.unfounded += 1
                self.worker.records += span.records
                self.worker.records += span.late
                continue
            if named not in known:
                yield _after(self._attempt(span, facts, named, self.name), before)
            if self.is_final and span.late:
                late = f"{self.name}+late"
                yield self._attempt(span, facts, named, late, is_late=True)

    def worker_itself(self) -> TaskFragment | None:
        """What was done for no task, None while the journal is not final; after all attempts."""
        return self._own() if self.is_final else None

    def submitted(self) -> dict[str, tuple[str, ...]]:
        """As in `ToldTasks`."""
        found: dict[str, dict[str, None]] = {}
        for record in self.worker.submitted:
            facts = facts_of(record)
            task = text_in(facts, "task")
            if task:
                found.setdefault(task, {}).update(dict.fromkeys(texts_in(facts.get("needs"))))
        return {task: tuple(needs)[:NEEDS_MAX] for task, needs in found.items()}

    def _attempt(
        self,
        span: Span,
        facts: Mapping[str, Any],
        named: tuple[str, int],
        part: str,
        *,
        is_late: bool = False,
    ) -> TaskFragment:
        begun_ns = self._wall_of(span.begun, facts)
        ended_ns = None
        if span.ended is not None:
            ended_ns = max(begun_ns, self._wall_of(span.ended, facts_of(span.ended)))
        if is_late or ended_ns is None:
            seen = self._judged(span.late if is_late else span.records, self.newest_ns)
        else:
            seen = self._judged(span.records, ended_ns)
        return TaskFragment(
            task=named[0],
            name=text_in(facts, "name") or named[0],
            state=_state(span),
            started_at_ns=begun_ns,
            attempt=named[1],
            part=part,
            where=self.where,
            duration_s=None if ended_ns is None else (ended_ns - begun_ns) / 1e9,
            tracer=self.tracer,
            read=seen.read,
            written=seen.written,
            coverage=(*seen.reasons, *self._reasons(span, facts)),
            needs=needs_of(span, facts),
            role="infrastructure" if facts.get("role") == "infrastructure" else "task",
            group=text_in(facts, "group"),
        )

    def _own(self) -> TaskFragment:
        """The worker itself: what it did before, between and after its tasks."""
        worker = self.worker
        seen = self._judged(worker.records, self.newest_ns)
        ended = [r for r in worker.records if r.kind == Kind.EXIT and r.pid == worker.pid]
        exit_code = ended[-1].value >> 8 & 0xFF if ended else None
        started_ns = self._wall(worker.first_ns)
        reasons = [*seen.reasons, *self._shared_reasons(0, None)]
        if worker.ambiguous:
            reasons.append(CoverageReason("ambiguous", worker.ambiguous, _AMBIGUOUS))
        for trouble in map(facts_of, worker.troubles):
            words = f"{text_in(trouble, 'place')}: {text_in(trouble, 'error')}"
            reasons.append(CoverageReason("agent_failed", 1, words))
        if worker.unfounded:
            words = "words of the worker on tasks that it never began"
            reasons.append(CoverageReason("unfounded", worker.unfounded, words))
        return TaskFragment(
            task=self.name,
            name="worker",
            state="interrupted" if exit_code is None else "failed" if exit_code else "succeeded",
            started_at_ns=started_ns,
            part=self.name,
            where=self.where,
            duration_s=max(0, self.newest_ns - started_ns) / 1e9,
            exit_code=exit_code,
            tracer=self.tracer,
            read=seen.read,
            written=seen.written,
            coverage=tuple(reasons),
            role="infrastructure",
        )

    def _judged(self, records: list[Record], until_ns: int) -> _Seen:
        eyes = self.eyes
        observation = judge(
            records,
            unseen.look_in(records) if eyes is None else eyes.look,
            self.filters,
            list_files=_nothing_below if eyes is None else eyes.list_files,
            clock=self.clock,
            is_part=True,
        )
        skews = self._skews(records) if observation.outputs else {}
        files = _Files(eyes or _BLIND, observation.code, until_ns, skews)
        return _Seen(
            tuple(map(files.read, observation.inputs)),
            tuple(map(files.written, observation.outputs)),
            observation.coverage.reasons,
        )

    def _skews(self, records: Iterable[Record]) -> dict[int, int]:
        """By how much each file system's clock is ahead of ours: by the files made here."""
        ahead: dict[int, int] = {}
        for record in records:
            if record.kind == _OPEN and record.value & _CREATED and record.fingerprints:
                version = record.fingerprints[0]
                skew = version.ctime_ns - self._wall(record.time_ns)
                if ahead.get(version.dev, 0) < skew < _SKEW_MAX_NS:
                    ahead[version.dev] = skew
        return ahead

    def _reasons(self, span: Span, begun: Mapping[str, Any]) -> Iterator[CoverageReason]:
        end = None if span.ended is None else span.ended.offset
        yield from self._shared_reasons(span.begun.offset, end)
        if span.ambiguous:
            yield CoverageReason("ambiguous", span.ambiguous, _AMBIGUOUS)
        if span.ended is None and begun.get("forked") is not True:
            yield CoverageReason("interrupted", 1, "the worker ended before the task did")

    def _shared_reasons(self, start: int, end: int | None) -> Iterator[CoverageReason]:
        """What is missing of all that happened between two offsets of the journal."""
        if self.tracer == "python":
            yield CoverageReason("python_only", 1, text_in(self.process, "reason") or _PYTHON_ONLY)
        if self.lost:
            yield CoverageReason("lost", self.lost, "events of the worker, whose is not known")
        missing = sum(b - a for a, b in self.holes if b > start and (end is None or a < end))
        if missing:
            yield CoverageReason("unreadable", missing, "bytes of the worker's journal")

    def _wall_of(self, record: Record, facts: Mapping[str, Any]) -> int:
        """When it was told: by its own word, for clocks are set while a worker runs."""
        at = facts.get("at_ns")
        return at if is_number(at, INTEGER_MAX) else self._wall(record.time_ns)

    def _wall(self, time_ns: int) -> int:
        return min(max(0, time_ns + self.clock), INTEGER_MAX)


class _Seen(NamedTuple):
    read: tuple[TaskFile, ...]
    written: tuple[TaskFile, ...]
    reasons: tuple[CoverageReason, ...]


class _Files(NamedTuple):
    """What makes files of a fragment. `until_ns`: what changed later was no work of its task."""

    eyes: Eyes
    code: frozenset[str]
    until_ns: int
    skews: Mapping[int, int]

    def read(self, file: InputFile) -> TaskFile:
        return self._file(file.path, file.fingerprint, is_changed=file.changed)

    def written(self, file: OutputFile) -> TaskFile:
        now = file.fingerprint
        grace_ns = CLOCK_GRAIN_NS + self.skews.get(now.dev, 0)
        if unseen.is_believed(now):
            return TaskFile(file.path, 0, node=self.eyes.node)
        if max(now.mtime_ns, now.ctime_ns) > self.until_ns + grace_ns:
            # Somebody has changed it since: these are not the bytes that the task wrote.
            return TaskFile(file.path, min(now.size, INTEGER_MAX), node=self.eyes.node)
        return self._file(file.path, now)

    def _file(self, path: str, version: Fingerprint, *, is_changed: bool = False) -> TaskFile:
        eyes, size = self.eyes, version.size
        # By position: there are 10^5, and names are a third of the time to make one.
        return TaskFile(
            path,
            size if 0 <= size <= INTEGER_MAX else max(0, min(size, INTEGER_MAX)),
            eyes.digests(path, version),
            None if eyes.node or unseen.is_believed(version) else version,
            is_changed,
            path in self.code,
            eyes.node,
        )


def _state(span: Span) -> Literal["succeeded", "failed", "interrupted"]:
    if span.ended is None or facts_of(span.ended).get("is_cancelled") is True:
        return "interrupted"
    return "succeeded" if span.ended.value & 0xFF == TaskEvent.SUCCEEDED else "failed"


def _after(attempt: TaskFragment, before: str | None) -> TaskFragment:
    """The attempt, with the task that came before it in its actor among its needs."""
    if before is None or before in attempt.needs:
        return attempt
    return attrs.evolve(attempt, needs=(before, *attempt.needs)[:NEEDS_MAX])


def _nothing_below(directory: str) -> Iterable[str]:
    return ()


_BLIND = Eyes()
_AMBIGUOUS = "events that may be of this or of another task of the worker"
_PYTHON_ONLY = "only what Python itself opened was seen"
