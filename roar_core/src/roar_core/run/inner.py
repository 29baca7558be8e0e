"""Runs inside a run: what their tracers have handed over is part of the outer run's story."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import NamedTuple

from roar_core.errors import JournalError
from roar_core.journal import Kind, Record, RecoveredJournal, open_existing
from roar_core.journal_file import handed_over_to
from roar_core.journal_format import OWN_ROOM
from roar_core.model.coverage import CoverageReason
from roar_core.run.processes import ProcessTree, outlived

_HOLES = frozenset((Kind.GAP, Kind.LOST))
_REFER_TO_OFFSETS = frozenset((Kind.USED, Kind.WRITTEN, Kind.UNUSED, Kind.UNWRITTEN))

# When a record was written at the earliest, the number of its journal, and the record.
Placed = tuple[int, int, Record]


class Inner(NamedTuple):
    """All that inner runs have reported, and what is known to be missing of it."""

    journals: list[RecoveredJournal]
    reasons: list[CoverageReason]

    @property
    def lost(self) -> int:
        """Records for which there was no room."""
        return sum(journal.lost for journal in self.journals)

    @property
    def unreadable_bytes(self) -> int:
        """Bytes that held no record."""
        return sum(journal.unreadable_bytes for journal in self.journals)

    def merged_into(self, records: list[Record]) -> list[Record]:
        """The outer run's records with the inner ones, in the order in which they were written.

        Their offsets are then places in this one story.
        """
        if not self.journals:
            return records
        streams = [_in_order(0, records)]
        for number, journal in enumerate(self.journals, 1):
            # In front lies what the inner roar has said. Of how its command began and ended the
            # outer run knows; what it could not see it has to be told.
            first = journal.header.records_offset + OWN_ROOM
            said = [r for r in journal.records if r.offset < first and r.kind in _HOLES]
            told = [record for record in journal.records if record.offset >= first]
            streams += [_in_order(number, said), _in_order(number, told)]
        merged = list(heapq.merge(*streams, key=itemgetter(0)))
        places = {(number, r.offset): at for at, (_, number, r) in enumerate(merged, 1)}
        return [_placed(record, number, places) for _, number, record in merged]


def inner_runs(path: str) -> Inner:
    """What was handed over to the journal at `path`. Its command has ended."""
    journals, reasons = [], []
    for each in handed_over_to(path):
        try:
            journals.append(open_existing(each))
        except JournalError as error:
            reasons.append(CoverageReason("tracer", 1, str(error)))
    for journal in journals:
        tree = ProcessTree()
        tree.take(journal.records)
        if left := tree.survivors(journal.header.created_monotonic_ns / 1e9):
            reasons.append(outlived(left))
    return Inner(journals, reasons)


def _in_order(number: int, records: list[Record]) -> Iterator[Placed]:
    """The records of one journal as they lie in it: an EXEC tells an earlier moment than that."""
    newest = 0
    for record in sorted(records, key=itemgetter(0)):
        newest = max(newest, record.time_ns)
        yield newest, number, record


def _placed(record: Record, number: int, places: Mapping[tuple[int, int], int]) -> Record:
    value = record.value
    if value and record.kind in _REFER_TO_OFFSETS:
        value = places.get((number, value), 0)
    return record._replace(offset=places[number, record.offset], value=value)
