"""Whose each record of a worker's journal is: a task's, or the worker's own. Pure.

A worker runs many tasks, several at once if it has threads for them. A thread says for whom it
works (TASK_IS); a process works for whom the thread worked that made it (FORK). Of a thread that
never said, or whose task has ended (a pool's, made for an earlier task), the only task that runs is
the one it can have worked for. Where several run nobody can tell: such records stay with the
worker, and every task that they may belong to says that it may miss them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from roar_core.journal_format import Kind, Record, TaskEvent

# Plain integers, as in observe.history.
_TASK, _TASK_IS, _FORK, _EXIT = map(int, (Kind.TASK, Kind.TASK_IS, Kind.FORK, Kind.EXIT))
_BACK_REFERENCES = frozenset({Kind.USED, Kind.UNUSED, Kind.WRITTEN, Kind.UNWRITTEN})
# What tells of files: that it cannot be placed is a hole.
_OF_FILES = frozenset(
    (*_BACK_REFERENCES, Kind.OPEN, Kind.CLOSED, Kind.RENAME, Kind.LINK, Kind.UNLINK)
) | {Kind.TRUNCATE, Kind.MAPPED, Kind.START}

# Tags no task can have: they are below 2^56 in a TASK, and 0 is nobody's.
_NOBODY = 0
_UNTOLD = -1
_SEVERAL = -2


class Span:
    """An attempt at a task in a worker: what was told of it, and what was done for it.

    `begun` and `ended` are the TASK records of its begin and end, `ended` None when it was
    interrupted. `told` holds every TASK record with its tag. `records` is what was done until its
    end, `late` what its processes did after it. `ambiguous` counts the records that were perhaps
    its own.
    """

    __slots__ = ("ambiguous", "begun", "ended", "late", "records", "told")

    def __init__(self, begun: Record) -> None:
        self.begun = begun
        self.ended: Record | None = None
        self.told = [begun]
        self.records: list[Record] = []
        self.late: list[Record] = []
        self.ambiguous = 0

    def forget_afterthoughts(self) -> None:
        """What an open proved to be after the end changes nothing: who has read it has read it."""
        end = self.ended
        while end is not None and self.records and self.records[-1].offset > end.offset:
            self.records.pop()


class Worker:
    """A journal's records, each where it belongs.

    `spans` are the attempts in the order of their begin, `records` the worker's own, `told` what it
    said of itself, `submitted` on tasks that it gave to others, and `troubles` on what failed in
    its own account; `first_ns` and `last_ns` are when anything was first and last told.
    `ambiguous` counts those of its records that are perhaps a task's, `unfounded` the words on
    tasks that nobody began.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.spans: list[Span] = []
        self.records: list[Record] = []
        self.told: list[Record] = []
        self.submitted: list[Record] = []
        self.troubles: list[Record] = []
        self.ambiguous = 0
        self.unfounded = 0
        first = next((r for r in records if r.kind == _TASK), records[0] if records else None)
        self.pid = first.pid if first else 0
        times = [record.time_ns for record in records]
        self.first_ns, self.last_ns = (min(times), max(times)) if times else (0, 0)
        self._running: dict[int, Span] = {}
        self._by_tag: dict[int, Span] = {}
        self._threads: dict[int, dict[int, int]] = {}
        self._processes: dict[int, int] = {}
        self._makers = _makers(records)
        # For whom the worker's threads are letting libc make processes.
        self._announced: list[int] = []
        self._referred = {r.value for r in records if r.kind in _BACK_REFERENCES}
        self._homes: dict[int, list[Record]] = {}
        self._share_out(records)

    def _share_out(self, records: Iterable[Record]) -> None:
        threads, referred, homes = self._threads, self._referred, self._homes
        for record in records:
            kind = record.kind
            if kind == _TASK:
                self._hear(record)
                continue
            if kind == _TASK_IS:
                if record.pid != self.pid:
                    self._process(record)
                threads.setdefault(record.pid, {})[record.tid] = record.value
                continue
            if kind in _BACK_REFERENCES:
                home = homes.get(record.value)
                if home is not None:
                    home.append(record)
                    continue
            home = self._home(record)
            home.append(record)
            if record.offset in referred:
                homes[record.offset] = home
            if kind == _FORK:
                self._make(record)
            elif kind == _EXIT and record.pid != self.pid:
                self._threads.pop(record.pid, None)
                self._processes.pop(record.pid, None)
        for span in self.spans:
            span.forget_afterthoughts()

    def _hear(self, record: Record) -> None:
        tag, event = record.value >> 8, record.value & 0xFF
        if event == TaskEvent.PROCESS:
            self.told.append(record)
            return
        if event == TaskEvent.SUBMITTED:
            self.submitted.append(record)
            return
        if event == TaskEvent.TROUBLE:
            self.troubles.append(record)
            return
        if event == TaskEvent.BEGIN:
            if tag == _NOBODY or tag in self._by_tag:
                self.unfounded += 1
                return
            span = self._by_tag[tag] = self._running[tag] = Span(record)
            self.spans.append(span)
            return
        known = self._by_tag.get(tag)
        if known is None:
            self.unfounded += 1
            return
        known.told.append(record)
        if event in (TaskEvent.SUCCEEDED, TaskEvent.FAILED) and known.ended is None:
            known.ended = record
            del self._running[tag]

    def _home(self, record: Record) -> list[Record]:
        tag = self._threads.get(record.pid, _NO_THREADS).get(record.tid, _UNTOLD)
        span = self._running.get(tag)
        if span is not None:
            return span.records
        if record.pid != self.pid:
            return self._home_of_child(record)
        if tag == _UNTOLD or tag in self._by_tag:
            return self._guessed(record)
        return self.records

    def _home_of_child(self, record: Record) -> list[Record]:
        tag = self._process(record)
        span = self._running.get(tag)
        if span is not None:
            return span.records
        if tag == _SEVERAL and record.kind in _OF_FILES:
            self.ambiguous += 1
        span = self._by_tag.get(tag)
        if span is None:
            return self.records
        # Who made it is a fact. It may serve a later task all the same, as pools do.
        if record.kind in _OF_FILES:
            self._may_be_of_the_running()
        return span.late

    def _guessed(self, record: Record) -> list[Record]:
        running = self._running.values()
        if len(running) == 1:
            [span] = running
            return span.records
        if running and record.kind in _OF_FILES:
            self.ambiguous += 1
            self._may_be_of_the_running()
        return self.records

    def _may_be_of_the_running(self) -> None:
        for span in self._running.values():
            span.ambiguous += 1

    def _process(self, record: Record) -> int:
        """The tag of a process, settled by its first record."""
        pid = record.pid
        tag = self._processes.get(pid)
        if tag is None:
            makers = self._makers.get(pid)
            tag = self._maker_tag(makers.popleft()) if makers else self._parent_tag(record)
            self._processes[pid] = tag
            if tag == _SEVERAL:
                self._may_be_of_the_running()
        return tag

    def _maker_tag(self, maker: _Maker) -> int:
        span = self._by_tag.get(maker.tag)
        if span is not None and (span.ended is None or span.ended.offset > maker.offset):
            return maker.tag
        return _NOBODY if maker.tag == _NOBODY else self._settled(maker.pid)

    def _parent_tag(self, record: Record) -> int:
        """The tag of a process that no FORK names: libc made it inside system(3) or popen(3)."""
        parent = record.value if record.kind == Kind.START else self.pid
        if parent == self.pid and self._announced:
            if len(set(self._announced)) > 1:
                self._announced = [_SEVERAL] * len(self._announced)
            return self._announced.pop()
        return self._settled(parent)

    def _settled(self, pid: int) -> int:
        """The tag of another process; of the worker itself, that of the only task it runs."""
        if pid in self._processes:
            return self._processes[pid]
        if len(self._running) == 1:
            return next(iter(self._running))
        return _SEVERAL if self._running else _NOBODY

    def _make(self, record: Record) -> None:
        if record.value == 0 and record.pid == self.pid:
            tag = self._threads.get(record.pid, _NO_THREADS).get(record.tid, _UNTOLD)
            self._announced.append(tag if tag in self._running else self._settled(self.pid))
        # A number may be given again, to another process, when the one that had it was killed.
        makers = self._makers.get(record.value)
        if makers and makers[0].offset == record.offset:
            self._processes.pop(record.value, None)
            self._threads.pop(record.value, None)


class _Maker(NamedTuple):
    """The thread that made a process, as it was then: `tag` is its own word on itself."""

    offset: int
    pid: int
    tag: int


_NO_THREADS: dict[int, int] = {}


def _makers(records: Iterable[Record]) -> dict[int, deque[_Maker]]:
    """Who made each process, told ahead: a child may report before its parent tells of it."""
    said: dict[tuple[int, int], int] = {}
    makers: dict[int, deque[_Maker]] = {}
    for record in records:
        if record.kind == _TASK_IS:
            said[record.pid, record.tid] = record.value
        elif record.kind == _FORK:
            tag = said.get((record.pid, record.tid), _UNTOLD)
            maker = _Maker(record.offset, record.pid, tag)
            makers.setdefault(record.value, deque()).append(maker)
    return makers
