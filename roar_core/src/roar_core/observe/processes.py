"""Which programs ran, and which of them could not be seen into: pure.

An EXEC says that a program is about to run, its START that the tracer is inside. An EXEC that did
not fail and got no START is a hole. Explicit GAP records say why; the rest are `unentered`. A
program that one tracer hands over to another has an EXEC of each.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from roar_core.journal_format import GapCode, Kind, Record
from roar_core.model.coverage import CoverageReason

_LOST = int(Kind.LOST)
_STEPS = frozenset({Kind.START, Kind.EXEC, Kind.EXEC_FAILED, Kind.EXIT, Kind.GAP})


class ProcessTable:
    """Programs and holes of one run.

    `executed` are the EXEC records that took effect, `programs` the number of programs entered,
    `lost` the events that tracers reported as lost.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.programs = 0
        self.lost = 0
        self.executed: list[Record] = []
        self._unentered: list[Record] = []
        self._gaps: Counter[tuple[int, bytes]] = Counter()
        self._pending: dict[int, Record] = {}
        # STARTs that came before their EXEC: a parent reports a spawn when it has succeeded, and
        # by then the child may even have ended.
        self._early: dict[int, Record] = {}
        for record in records:
            kind = record.kind
            if kind in _STEPS:
                self._take(record)
            elif kind == _LOST:
                self.lost += record.value
        for pid in list(self._pending):
            self._never_entered(pid)

    def reasons(self, *, is_part: bool = False) -> list[CoverageReason]:
        """One reason for each code and program, in a stable order.

        A part of what a process did need not tell of any program.
        """
        counted = Counter(self._gaps)
        explained = {program: code for code, program in self._gaps}
        identities = {
            record.fingerprints[0].identity: record.strings[0]
            for record in self._unentered
            if record.fingerprints and record.strings and record.strings[0] in explained
        }
        missed: Counter[tuple[int, bytes]] = Counter()
        for record in self._unentered:
            program = record.strings[0] if record.strings else b""
            if program not in explained and record.fingerprints:
                program = identities.get(record.fingerprints[0].identity, program)
            missed[explained.get(program, int(GapCode.UNENTERED)), program] += 1
        # A tracer reports a kind of program once; how often it ran is what its EXECs say.
        for key, count in missed.items():
            counted[key] = max(counted[key], count)
        if not self.programs and not counted and not is_part:
            return [CoverageReason(GapCode.UNENTERED.code, 1, "the command reported nothing")]
        return [
            CoverageReason(_gap_name(code), count, in_words(program))
            for (code, program), count in sorted(counted.items())
        ]

    def _take(self, record: Record) -> None:
        pid = record.pid
        match record.kind:
            case Kind.START:
                self.programs += 1
                executed = self._pending.pop(pid, None)
                if executed is None:
                    self._early[pid] = record
                else:
                    self.executed.append(executed)
            case Kind.EXEC:
                if not _is_handed_over(self._pending.get(pid), record):
                    self._never_entered(pid)
                early = self._early.pop(pid, None)
                if early is not None and record.time_ns <= early.time_ns:
                    self.executed.append(record)
                else:
                    self._pending[pid] = record
            case Kind.EXEC_FAILED:
                self._pending.pop(pid, None)
            case Kind.EXIT:
                self._never_entered(pid)
            case Kind.GAP:
                self._gaps[record.value, record.strings[0] if record.strings else b""] += 1

    def _never_entered(self, pid: int) -> None:
        record = self._pending.pop(pid, None)
        if record is not None:
            self.executed.append(record)
            self._unentered.append(record)


def _is_handed_over(pending: Record | None, record: Record) -> bool:
    """Whether this EXEC is the attempt that is pending, made again by another tracer."""
    if pending is None or not pending.fingerprints or not record.fingerprints:
        return False
    return pending.fingerprints[0].identity == record.fingerprints[0].identity


def coverage_reasons(
    table: ProcessTable, *, lost: int, unreadable: int, is_part: bool = False
) -> list[CoverageReason]:
    """All that is known to be missing: holes, records without room (`lost`), unreadable bytes."""
    reasons = table.reasons(is_part=is_part)
    if lost + table.lost:
        reasons.append(CoverageReason("lost", lost + table.lost, "events that were not recorded"))
    if unreadable:
        reasons.append(CoverageReason("unreadable", unreadable, "bytes of the journal"))
    return reasons


def in_words(raw: bytes) -> str:
    """A name for people to read: what is no text is spelt out, so that any output can take it."""
    return raw.decode("utf-8", "backslashreplace")


def programs_named(executed: Sequence[Record]) -> list[str]:
    """The paths that were executed, as they were given."""
    return [os.fsdecode(record.strings[0]) for record in executed if record.strings]


def _gap_name(code: int) -> str:
    return GapCode(code).code if code in GapCode._value2member_map_ else f"gap_{code}"
